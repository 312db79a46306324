/** Invalid files: each gives one clear error with its place, never a stack trace. */
import { describe, expect, test } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { failure, hostFacts, load, makeProject } from '../project.ts';

type Case = [name: string, text: string | Buffer, line: number, column: number, message: RegExp, hint?: RegExp];

const SYNTAX: Case[] = [
  ['a key alone', 'name', 1, 5, /key/i, /key = value/],
  ['no value', 'name =', 1, 7, /without value/, /key = value/],
  ['no value on line 2', 'version = 1\nname =\n', 2, 7, /value|expecting/],
  ['no key', '= 1', 1, 1, /unexpected character =/],
  ['two equals signs', 'name == "x"', 1, 7, /expecting string/, /quotes/],
  ['text without quotes', 'name = shop', 1, 8, /expecting string/, /quotes/],
  ['an open string', 'name = "shop', 1, 13, /unterminated/, /close the string/],
  ['a line break in a string', 'name = "sh\nop"', 1, 11, /unterminated|control/i],
  ['an open multi-line string', 'name = """\nshop\n', 3, 1, /unterminated/, /close the string/],
  ['an open literal string', "name = 'shop", 1, 13, /unterminated/],
  ['an unknown escape', 'name = "\\x41"', 1, 10, /escape/, /single quotes/],
  ['a backslash at the end', 'name = "\\', 1, 10, /unknown escape \\ and the end of the file/],
  ['a backslash at the end of a line', 'name = "\\\n"', 1, 10, /unknown escape \\U\+000A/],
  ['half a surrogate', 'name = "\\uD800"', 1, 14, /unicode/],
  ['an open list', '[packages]\napt = ["a"\n', 3, 1, /list|comma/, /list/],
  ['a list without commas', '[packages]\napt = ["a" "b"]', 2, 12, /comma/, /commas/],
  ['an open inline table', 'image = { base = "x"', 1, 21, /inline table/, /close/],
  ['a comma at the end of an inline table', 'image = { base = "x", }', 1, 23, /comma/, /comma before \}/],
  ['an open header', '[packages\napt = []', 1, 10, /header|key|whitespace|\]/],
  ['an empty header', '[]', 1, 2, /empty/i],
  ['a header and a pair on one line', '[packages] apt = []', 1, 12, /end of line/, /new line/],
  ['two pairs on one line', 'version = 1 name = "x"', 1, 13, /end of line/, /new line/],
  ['a key twice', 'name = "a"\nname = "b"', 2, 1, /redefine the key "name"/, /^define name once/],
  ['a key of a table twice', '[image]\nbase = "a"\nbase = "b"', 3, 1, /"image.base"/, /^define image.base once/],
  ['a list twice', '[packages]\napt = []\napt = [\n"a"]', 3, 1, /"packages.apt"/, /^define packages.apt once/],
  ['a key of an entry twice', '[[mounts]]\nhost = "~"\n[[mounts]]\nhost = "~"\nhost = "."', 5, 1, /"mounts\[1\].host"/],
  ['a key of an inline table twice', 'image = { base = "a", base = "b" }', 1, 23, /redefine an existing key/, /once/],
  ['a table twice', '[env]\nA = "1"\n[env]\nB = "2"', 3, 2, /redefine the key "env"/, /^write \[env\] once/],
  [
    'a table over a value',
    'env = 1\n[env]\nA = "1"',
    2,
    2,
    /redefine the key "env"/,
    /all of its fields below one \[env\]/,
  ],
  ['a table over an inline table', 'network = { allow = [] }\n[network]', 2, 2, /"network"/, /below one \[network\]/],
  ['a table over a switch', 'docker = true\n[docker]\nenabled = true', 2, 2, /"docker"/, /below one \[docker\]/],
  ['a table below a value', 'network = "none"\n[[network.http]]', 2, 3, /"network"/, /below one \[network\]/],
  ['a list of tables over a table', '[mounts]\n[[mounts]]', 2, 3, /"mounts"/, /write \[\[mounts\]\] above each entry/],
  [
    'a table over a list of tables',
    '[[services]]\nname = "a"\n[services]',
    3,
    2,
    /"services"/,
    /\[\[services\]\] above/,
  ],
  [
    'a list of tables over a list',
    'ports = [3000]\n[[ports]]\nguest = 1',
    2,
    3,
    /"ports"/,
    /\[\[ports\]\] above each entry/,
  ],
  ['a value over dotted keys', 'image.base = "x"\nimage = 1', 2, 1, /redefine the key "image"/, /below one \[image\]/],
  [
    'an agent by its name and its table',
    'agent = "claude" # the best\n[agent]\nargs = []',
    2,
    2,
    /redefine the key "agent"/,
    /^write extends = \["claude"\] instead of agent = "claude": the fields of \[agent\] change that template$/,
  ],
  [
    'the same in a sandbox',
    "[sandboxes.a]\nagent = 'codex'\n[sandboxes.a.agent]\nargs = []",
    3,
    14,
    /redefine the key "sandboxes.a.agent"/,
    /^write extends = \['codex'\] instead .*\[sandboxes.a.agent\]/,
  ],
  [
    'the same the other way round',
    'agent.args = []\nagent = "claude"',
    2,
    1,
    /"agent"/,
    /^write extends = \["claude"\]/,
  ],
  ['a wrong word', '[docker]\nenabled = yes', 2, 11, /expecting string/],
  ['a misspelt truth', '[docker]\nenabled = tru', 2, 11, /boolean/, /true or false/],
  ['a number with a leading zero', '[resources]\ncpus = 02', 2, 8, /digit/],
  ['a number with two points', '[resources]\ncpus = 1..2', 2, 10, /digit/],
  ['a number with an underscore too many', '[resources]\ncpus = 1__0', 2, 10, /digit/],
  ['a month that is none', 'version = 2026-13-01', 1, 11, /datetime/i, /no field/],
  ['an hour that is none', '[env]\nA = "1"\nB = 25:00:00', 3, 5, /datetime/i, /no field/],
  ['a control character in a string', 'name = "a\u0001"', 1, 10, /control/i, /remove/],
  ['a NUL', 'name = "a\0"', 1, 10, /control/i, /remove/],
  ['a NUL outside', 'version = 1\n\0', 2, 1, /unexpected character U\+0000/],
  ['a control character in a comment', '# a\u0001', 1, 4, /control/i],
  ['a carriage return alone', 'version = 1\rname = "x"', 1, 13, /end of line|control/i],
  ['DOS line ends', 'version = 1\r\nname =\r\n', 2, 7, /value|expecting/],
  ['a byte order mark does not move the column', '\uFEFFname = shop', 1, 8, /expecting string/],
  ['bytes of another encoding', Buffer.from([0x23, 0x0a, 0x61, 0x20, 0x3d, 0x20, 0xe9]), 2, 5, /UTF-8/, /UTF-8/],
  ['bytes behind a real U+FFFD', Buffer.from([0xef, 0xbf, 0xbd, 0xff]), 1, 2, /UTF-8/],
  ['YAML', 'name: shop\n', 1, 5, /expected "="/, /key = value/],
  ['JSON', '{"name": "shop"}', 1, 1, /unexpected character \{/],
  ['nested lists', `version = ${'['.repeat(60)}${']'.repeat(60)}`, 1, 43, /nested too deeply/],
  ['nested keys', `${'a.'.repeat(60)}a = 1`, 1, 65, /nested too deeply/],
  ['half a million brackets', `a = ${'['.repeat(500_000)}${']'.repeat(500_000)}`, 1, 37, /nested too deeply/],
];

const VALUES: Case[] = [
  ['an unknown key', 'nmae = "shop"', 1, 1, /unknown key "nmae"/, /did you mean "name"/],
  ['an unknown key in a section', '[network]\nalow = []', 2, 1, /unknown key "network.alow"/, /"allow"/],
  ['an unknown section', '[netwrok]\nallow = []', 1, 2, /unknown key "netwrok"/, /"network"/],
  ['a key without its section', 'cpus = 2', 1, 1, /unknown key "cpus"/, /belongs in \[resources\]/],
  ['a key of another section', '[network]\nhide = []', 2, 1, /unknown key/, /belongs in \[workspace\]/],
  [
    'a key of the file in a section',
    '[network]\nextends = []',
    2,
    1,
    /unknown key "network.extends"/,
    /above the first/,
  ],
  [
    'an agent in its own table',
    '[agent]\nagent = "claude"',
    2,
    1,
    /unknown key/,
    /extends = \["<name>"\] beside \[agent\]/,
  ],
  ['a key like none', 'zzzzzzzz = 1', 1, 1, /unknown key/, /known keys: .*network/],
  ['an import', '"$import" = "./x.js"', 1, 1, /unknown key ".*\$import/],
  ['a reserved key', '[env]\nA = "1"\nconstructor = "x"', 3, 1, /unknown key "env.constructor"/, /another name/],
  ['a prototype', '[sandboxes.__proto__]\ncount = 1', 1, 12, /unknown key "sandboxes.__proto__"/],
  ['another version', 'version = 2', 1, 11, /version: must be 1/, /write 1/],
  ['a version as text', 'version = "1"', 1, 11, /must be 1/, /without quotes: version = 1/],
  ['a name in capitals', 'name = "Shop"', 1, 8, /name: must be 1–40 lower-case/],
  ['a name with a slash', 'name = "../x"', 1, 8, /name: must be/],
  ['a name that is too long', `name = "${'a'.repeat(41)}"`, 1, 8, /name: must be/],
  ['an agent that is a number', 'agent = 5', 1, 9, /agent: must be a name or a table, not a number/],
  ['an agent that is a list', 'agent = ["claude"]', 1, 9, /agent: must be a name or a table, not a list/],
  ['an agent table with an unknown key', '[agent]\ncomand = ["x"]', 2, 1, /unknown key "agent.comand"/, /"command"/],
  ['an agent table with a wrong value', '[agent]\ncommand = "x"', 2, 11, /agent.command: must be a list/, /\["x"\]/],
  ['an agent that is none', 'agent = "shel"', 1, 9, /unknown template "shel"/, /did you mean "shell"/],
  ['text for a list', '[packages]\napt = "ripgrep"', 2, 7, /packages.apt: must be a list, not text/, /\["ripgrep"\]/],
  ['a number in a list', '[packages]\napt = ["a",\n  5]', 3, 3, /apt\[1\]: must be text/, /"5"/],
  ['a package that is an option', '[packages]\napt = ["--force"]', 2, 8, /not a package name/],
  ['two packages in one', '[packages]\nnpm = ["a b"]', 2, 8, /not a package name/, /one entry for each/],
  ['an empty package', '[packages]\npip = [""]', 2, 8, /pip\[0\]: must not be empty/],
  ['cpus as text', '[resources]\ncpus = "2"', 2, 8, /cpus: must be a .*number, not text/, /without quotes/],
  ['no cpus', '[resources]\ncpus = 0', 2, 8, /cpus: must be at least 1/],
  ['too many cpus', '[resources]\ncpus = 65', 2, 8, /cpus: must be at most 64/],
  ['a part of a cpu', '[resources]\ncpus = 1.5', 2, 8, /cpus: must be a whole number, not a fraction/],
  ['a number too large', '[resources]\ncpus = 9007199254740993', 2, 8, /too large/],
  ['infinity', '[resources]\ncpus = inf', 2, 8, /not a number/],
  ['not a number', '[resources]\ncpus = nan', 2, 8, /not a number/],
  ['memory as a number', '[resources]\nmemory = 2048', 2, 10, /memory: must be text/, /memory = "2048MiB"/],
  ['an idle time as a number', '[lifecycle]\nidle = 30', 2, 8, /idle: must be text/, /idle = "30m"/],
  ['an agent by its path', 'agent = "./a.toml"', 1, 9, /agent/, /extends = \["\.\/a\.toml"\]/],
  ['two errors in an agent', '[agent]\ncommand = "x"\nheadless = "y"', 2, 11, /agent.command: must be a list/],
  ['memory without a unit', '[resources]\nmemory = "2"', 2, 10, /must be a number with the unit KiB, MiB/],
  ['memory in words', '[resources]\nmemory = "two gigs"', 2, 10, /must be a number with the unit KiB, MiB/],
  ['too little memory', '[resources]\nmemory = "1MiB"', 2, 10, /memory: 1MiB is too small/, /256MiB/],
  ['too much memory', '[resources]\nmemory = "999999TiB"', 2, 10, /is too large/, /1TiB/],
  ['too small a disk', '[resources]\ndisk = "1GiB"', 2, 8, /disk: 1GiB is too small/, /10GiB/],
  ['a date', '[env]\nSINCE = 2026-01-01', 2, 9, /dates and times are not supported/, /quotes/],
  ['a day that is none', '[env]\nSINCE = 2026-02-30', 2, 9, /invalid date/],
  ['a time', '[env]\nAT = 07:32:00', 2, 6, /dates and times are not supported/],
  ['a variable that is a number', '[env]\nPORT = 3000', 2, 8, /env.PORT: must be text/, /"3000"/],
  ['a variable with a bad name', '[env]\n"A-B" = "1"', 2, 1, /env.A-B: the name must be letters/],
  ['a variable with a NUL', '[env]\nA = "a\\u0000b"', 2, 5, /U\+0000/],
  ['an environment that is text', 'env = "A=1"', 1, 7, /env: must be a table/, /\[env\]/],
  ['docker as a switch', 'docker = true', 1, 10, /docker: must be a table, not true/, /fields below one \[docker\]/],
  ['ports as a number', 'ports = 3000', 1, 9, /ports: must be a list, not a number/, /\[\[ports\]\] above each entry/],
  ['ports as numbers', 'ports = [3000]', 1, 10, /ports\[0\]: must be a table/, /each entry below \[\[ports\]\]/],
  ['a network as a list', '[[network]]\nallow = []', 1, 3, /network: must be a table, not a list/, /one \[network\]/],
  [
    'restart of another kind',
    '[lifecycle]\nrestart = "onfailure"',
    2,
    11,
    /must be "never", "on-failure" or "always"/,
    /did you mean "on-failure"/,
  ],
  ['a duration in words', '[lifecycle]\nidle = "2 hours"', 2, 8, /idle: must be a number with the unit s, m, h or d/],
  [
    'a network host with a scheme',
    '[network]\nallow = ["https://a.test"]',
    2,
    10,
    /not a network pattern/,
    /api.github.com/,
  ],
  ['a network host with a path', '[network]\nallow = ["a.test",\n"a.test/x"]', 3, 1, /allow\[1\]: is not/],
  ['a wildcard inside a label', '[network]\nallow = ["a*.test"]', 2, 10, /not a network pattern/],
  ['a wildcard alone', '[network]\nallow = ["*"]', 2, 10, /not a network pattern/],
  ['a port beyond the last', '[network]\nallow = ["a.test:65536"]', 2, 10, /not a network pattern/],
  ['a range backwards', '[network]\nallow = ["a.test:9-8"]', 2, 10, /not a network pattern/],
  ['a CIDR beyond the last bit', '[network]\ndeny = ["10.0.0.0/33"]', 2, 9, /not a network pattern/],
  ['an odd address', '[network]\nallow = ["0x7f.1"]', 2, 10, /not a network pattern/],
  ['another script', '[network]\nallow = ["bücher.test"]', 2, 10, /not a network pattern/],
  ['a preset that is none', '[network]\nallow = ["preset:nmp"]', 2, 10, /not a network pattern/, /preset:npm/],
  ['a preset that names no host', '[network]\nallow = ["a.test", "preset:pip"]', 2, 20, /has no hosts on this machine/],
  [
    'a deny list of a preset that names no host',
    '[network]\ndeny = ["preset:pip"]',
    2,
    9,
    /has no hosts on this machine/,
  ],
  ['http rules without a host', '[[network.http]]\nmethods = ["GET"]', 1, 11, /http\[0\].host is missing/, /add host/],
  ['a method in small letters', '[[network.http]]\nhost = "a.test"\nmethods = ["get"]', 3, 12, /capital letters/],
  ['a mount without a guest path', '[[mounts]]\nhost = "~"', 1, 3, /mounts\[0\].guest is missing/, /add guest/],
  ['a mount that is relative inside', '[[mounts]]\nhost = "."\nguest = "data"', 3, 9, /absolute path/],
  ['a mount that is not there', '[[mounts]]\nhost = "./none"\nguest = "/data"', 1, 3, /does not exist/],
  ['a mount over the system', '[[mounts]]\nhost = "."\nguest = "/proc/x"', 1, 3, /cannot be a mount point/],
  [
    'two mounts at one path',
    '[[mounts]]\nhost = "."\nguest = "/d"\n[[mounts]]\nhost = "."\nguest = "/d/"',
    4,
    3,
    /two mounts/,
  ],
  ['mounts as one table', '[mounts]\nhost = "."', 1, 2, /mounts: must be a list/, /\[\[mounts\]\] above each entry/],
  ['a workspace that is not there', '[workspace]\npath = "none"', 2, 8, /not a folder/],
  ['the root as workspace', '[workspace]\npath = "/"', 2, 8, /cannot be a workspace/, /one project/],
  ['a folder of the system as workspace', '[workspace]\npath = "/etc"', 2, 8, /cannot be a workspace/],
  ['hidden paths outside', '[workspace]\nhide = ["../x"]', 2, 9, /below the workspace/],
  ['everything hidden', '[workspace]\nhide = ["**"]', 2, 9, /below the workspace/],
  ['a readonly path from the root', '[workspace]\nreadonly = ["/etc"]', 2, 13, /below the workspace/],
  ['a mode that is none', '[workspace]\nmode = "mout"', 2, 8, /"mount" or "clone"/, /did you mean "mount"/],
  ['docker as text', '[docker]\nenabled = "true"', 2, 11, /true or false, not text/, /without quotes/],
  ['port 0', '[[ports]]\nguest = 0', 2, 9, /at least 1/],
  [
    'a service without a port',
    '[[services]]\nname = "db"\nhost = "127.0.0.1"',
    3,
    8,
    /address of the host with a port/,
  ],
  [
    'a credential without its place',
    '[[credentials]]\nsecret = "s"\nenv = "A"\nhost = "a.test"\nformat = "Bearer"',
    5,
    10,
    /\{\} once/,
  ],
  ['an MCP server without a command', '[mcp.servers.github]\ntools = []', 1, 14, /command is missing/, /add command/],
  ['a base that is none', '[image]\nbase = "fedora:42"', 2, 8, /unknown kind of image/, /debian:<suite>/],
  ['a base by its number', '[image]\nbase = "debian:12"', 2, 8, /unknown kind of image/, /code name/],
  ['a tar that is not there', '[image]\nbase = "./root.tar"', 2, 8, /not a file/],
  ['a sandbox with a bad name', '[sandboxes.Review]\ncount = 1', 1, 12, /sandboxes.Review: the name must be/],
  [
    'a sandbox with an unknown key',
    '[sandboxes.review]\ncuont = 2',
    2,
    1,
    /unknown key "sandboxes.review.cuont"/,
    /"count"/,
  ],
  ['no sandboxes of a kind', '[sandboxes.review]\ncount = 0', 2, 9, /at least 1/],
  ['two sandboxes of one name', '[sandboxes.a]\ncount = 2\n[sandboxes.a-2]', 3, 12, /two sandboxes are named "a-2"/],
  ['a numbered name that is too long', `[sandboxes.${'a'.repeat(40)}]\ncount = 2`, 1, 12, /too long/],
  ['extends as text', 'extends = "shell"', 1, 11, /extends: must be a list/],
  ['a template that is none', 'extends = ["./none.toml"]', 1, 12, /cannot be read/],
  ['a template that is a folder', 'extends = ["./folder.toml"]', 1, 12, /not a file/],
  ['a template of another kind', 'extends = ["./x.js"]', 1, 12, /must be a TOML file/],
  ['a template by an absolute path', 'extends = ["/etc/x.toml"]', 1, 12, /must be relative/],
  ['a template from git', 'extends = ["git+https://a.test/x"]', 1, 12, /not taken from there yet/],
  ['a template from a registry', 'extends = ["oci:a.test/x"]', 1, 12, /not taken from there yet/],
  ['a template that extends itself', 'extends = ["./sandbox.toml"]', 1, 12, /circular/],
];

/** Its pip configuration names no index that is a URL. */
const HOST = hostFacts({
  registries: async () => {
    const all = await hostFacts().registries();
    return { ...all, hosts: { ...all.hosts, pip: [] } };
  },
});

describe.each([
  ['syntax', SYNTAX],
  ['values', VALUES],
])('%s', (_, cases) => {
  test.each(cases)('%s', async (_name, text, line, column, message, hint) => {
    const dir = await makeProject({ 'sandbox.toml': text, 'folder.toml/x': '' });
    const error = await failure(loadProject({ cwd: dir, host: HOST }));
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/\n|undefined|\[object/);
    expect(error.place).toEqual({ file: `${dir}/sandbox.toml`, line, column });
    expect(error.hint).toMatch(hint ?? /\w/);
    expect(error.kind).toBe('user');
    expect(error.exitCode).toBe(2);
  });
});

test('of several errors, the first in the file is reported, and the others with their places and hints', async () => {
  const error = await failure(load('[network]\nalow = []\n[resources]\ncpus = 0\nmem = 1\n'));
  expect(error.message).toBe('unknown key "network.alow"');
  expect(error.more).toEqual([
    expect.objectContaining({
      line: 4,
      column: 8,
      message: 'resources.cpus: must be at least 1',
      hint: expect.any(String),
    }),
    expect.objectContaining({ line: 5, column: 1, message: 'unknown key "resources.mem"', hint: expect.any(String) }),
  ]);
});

test('of more than ten errors, ten are reported and the others counted', async () => {
  const error = await failure(load(Array.from({ length: 12 }, (_, index) => `wrong${index} = 1\n`).join('')));
  expect(error.message).toBe('unknown key "wrong0" (and 11 more errors, 2 of which are not shown)');
  expect(error.more.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('a file of 1 MiB loads, one byte more does not', async () => {
  const limit = 1024 * 1024;
  const spec = await load('#'.repeat(limit));
  expect(spec.sandboxes).toHaveLength(1);
  const error = await failure(load('#'.repeat(limit + 1)));
  expect(error).toMatchObject({ code: 'config-invalid', place: { line: 1, column: 1 } });
  expect(error.message).toMatch(/too large/);
});

test('a megabyte of valid entries is read, and its last error is found', async () => {
  const entries = Array.from({ length: 9_999 }, (_, index) => `  "host-${index}.test",`);
  const spec = await load(['[network]', 'allow = [', ...entries, ']'].join('\n'));
  expect(spec.sandboxes[0]?.network.allow).toHaveLength(9_999);
  const error = await failure(load(['[network]', 'allow = [', ...entries, '  "a b"', ']'].join('\n')));
  expect(error.place).toMatchObject({ line: 10_002, column: 3 });
});

test('an empty file, a byte order mark and DOS line ends are right', async () => {
  expect((await load('')).sandboxes).toHaveLength(1);
  expect((await load('\uFEFFname = "a"\r\n[env]\r\nA = """\r\nx"""\r\n')).sandboxes[0]).toMatchObject({
    name: 'a',
    env: { A: expect.stringMatching(/^x$/) },
  });
});

test('comments on lines that end as in DOS are read', async () => {
  const text = '# top\r\n[network] # the net\r\nallow = [ # all\r\n  "a.test", # one\r\n]\r\n';
  expect((await load(text)).sandboxes[0]?.network.allow).toMatchObject([{ pattern: 'a.test', source: { line: 4 } }]);
});
