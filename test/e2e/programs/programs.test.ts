/** Programs of every kind, as a distribution has them, inside a real machine: what they reach, what they trust, how they show a denial. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, must, netLog, type Project, project } from '../harness.ts';
import { SCRIPTS } from './program-scripts.ts';
import { DENIED, type ProgramWorld, programToml, READ, startProgramWorld, UNREAD } from './program-world.ts';
import { type Database, type SshServer, startPostgres, startSshd } from './real-servers.ts';

const GIT = 'git.programs.test';
const DATABASE = 'db.programs.test';
const SERVICE = 'postgres.host.sbx';
const ALLOW = [READ, UNREAD, `${GIT}:22`, `${DATABASE}:5432`];
/** Without any of the variables that tell of a proxy */
const BARE = 'env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u NODE_USE_ENV_PROXY';
const ALL = [`${READ}/open`, `${READ}/closed`, `${UNREAD}/closed`, `${DENIED}/open`].map((place) => `https://${place}`);

let world: ProgramWorld;
let ssh: SshServer;
let database: Database;
let p: Project;

beforeAll(async () => {
  [ssh, database] = await Promise.all([startSshd(), startPostgres()]);
  // A repository as plain files is one that git reads over HTTP.
  world = await startProgramWorld((path) => repositoryFile(path));
  Object.assign(world.servers, { [`${GIT}:22`]: ssh.port, [`${DATABASE}:5432`]: database.port });
  p = project('programs', toml(ALLOW));
  for (const [name, text] of Object.entries(SCRIPTS)) writeFileSync(join(p.dir, name), text);
  // Its environment is the daemon's: none of an earlier one may serve.
  await must(['daemon', 'stop', '--yes'], { cwd: p.dir });
  await command(['apply', '--accept-widening']);
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
  await must(['daemon', 'stop', '--yes'], { cwd: '/' });
  for (const one of [world, ssh, database]) await one?.[Symbol.asyncDispose]();
});

const toml = (allow: string[]) =>
  `${programToml(allow)}[[services]]\nname = "postgres"\nhost = "127.0.0.1:${database.port}"\nport = 5432\n`;
const command = (args: string[]) => must(args, { cwd: p.dir, env: world.environment });
const run = (script: string) => inside(p.dir, `cd ${p.dir} && { ${script}\n} 2>&1`);
const hello = (host: string, path: string) => `200 {"host":"${host}","path":"${path}"}`;
const FORBIDDEN = /^403 sbx: .*no HTTP rule covers GET .*\/closed/;

/** The lines that a program prints for ALL. */
function expectLines(lines: string[], denied: RegExp): void {
  expect(lines).toEqual([
    hello(READ, '/open'),
    expect.stringMatching(FORBIDDEN),
    hello(UNREAD, '/closed'),
    expect.stringMatching(denied),
  ]);
}

const INSIDE = new RegExp(`^403 sbx: ${DENIED}:443 is denied`);

describe('https to an intercepted, an opaque and a denied host', () => {
  test.each([
    ['curl', 'sh ask.sh', /(CONNECT tunnel failed, response 403|HTTP code 403 from proxy)/],
    // Told of a proxy, its fetch keeps to itself why it failed.
    ['Node', 'node ask.mjs', /failed: /],
    ['Python', 'python3 ask.py', /failed: Tunnel connection failed: 403 Forbidden by sbx/],
  ])('%s works without and with proxy settings', async (_, ask, denied) => {
    expectLines((await run(`${BARE} ${ask} ${ALL.join(' ')}`)).split('\n').filter(Boolean), INSIDE);
    expectLines((await run(`${ask} ${ALL.join(' ')}`)).split('\n').filter(Boolean), denied);
  });

  test('Java works with its own certificate store, without and with proxy settings', async () => {
    const lines = (await run(`${BARE} rhino ask.js ${ALL.join(' ')} proxied ${ALL.join(' ')}`)).split('\n');
    expectLines(lines.slice(0, 4), INSIDE);
    expectLines(lines.slice(4), /^failed: .*Unable to tunnel through proxy.*403 Forbidden by sbx/);
  });

  test('Go works with its own resolver and certificate loading', async () => {
    const go = (url: string | undefined) => run(`${BARE} gron ${url}`).catch(String);
    expect(await go(ALL[0])).toContain(`json.host = "${READ}";`);
    expect(await go(ALL[2])).toContain(`json.host = "${UNREAD}";`);
    // It shows no more of what it cannot read than its beginning.
    for (const url of [ALL[1], ALL[3]]) expect(await go(url)).toMatch(/invalid character 's'/);
  });

  test('git clones a repository', async () => {
    const clone = (host: string, path = 'open') =>
      run(`rm -rf /tmp/c; ${BARE} git clone -q https://${host}/${path}/shop.git /tmp/c && cat /tmp/c/README; true`);
    expect(await clone(READ)).toBe('a shop');
    expect(await clone(UNREAD)).toBe('a shop');
    expect(await clone(READ, 'closed')).toMatch(/The requested URL returned error: 403/);
    expect(await clone(DENIED)).toMatch(/403/);
  });

  test('each request is in the log with what the proxy read of it', async () => {
    const seen = (await netLog(p.dir)).map(({ verdict, host, port, method, path, reason }) =>
      [verdict, `${host}:${port}`, method, path, reason].filter(Boolean).join(' '),
    );
    expect(seen).toEqual(
      expect.arrayContaining([
        `allow ${READ}:443 GET /open rule`,
        `deny ${READ}:443 GET /closed http-rule`,
        `allow ${READ}:443 GET /open/shop.git/info/refs?service=git-upload-pack rule`,
        `allow ${UNREAD}:443 CONNECT rule`,
        `deny ${DENIED}:443 CONNECT default-deny`,
      ]),
    );
    expect(seen.filter((line) => line.includes(` ${UNREAD}:`) && !line.includes(' CONNECT '))).toEqual([]);
  });
});

describe('other protocols, by name and port', () => {
  test('git over ssh clones and pushes', async () => {
    ssh.authorize(await run("ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && cat ~/.ssh/id_ed25519.pub"));
    const from = `ssh://${ssh.user}@${GIT}${ssh.repository}`;
    await run(`echo '${GIT} ${ssh.hostKey}' > ~/.ssh/known_hosts`);
    expect(await run(`git clone -q ${from} /tmp/shop && cat /tmp/shop/README`)).toBe('a shop');
    const identity = '-c user.name=agent -c user.email=agent@example.test';
    await run(`cd /tmp/shop && git ${identity} commit -q --allow-empty -m inside && git push -q origin HEAD:inside`);
    expect(await run(`git ls-remote ${from} inside`)).toMatch(/^[0-9a-f]{40}\trefs\/heads\/inside$/);
  });

  test('psql connects', async () => {
    expect(await psql(DATABASE, 'select 6 * 7')).toBe('42');
  });

  test('psql works with a database of this host that is offered as a service', async () => {
    const table = 'create temp table t(n int); insert into t select generate_series(1, 100000); select sum(n) from t';
    expect(await psql(SERVICE, table)).toMatch(/5000050000$/);
    // The same database under another name of the host is none of its services.
    expect(await psql('other.host.sbx', 'select 1')).toMatch(/server closed the connection unexpectedly|reset by peer/);
    const [allowed] = (await netLog(p.dir)).filter(({ host, verdict }) => host === SERVICE && verdict === 'allow');
    expect(allowed).toMatchObject({ port: 5432, rule: { file: expect.stringMatching(/sandbox\.toml$/) } });
  });

  test('denied connections are closed soon, and the log says why', async () => {
    expect(await run(`timeout 120 ssh -o BatchMode=yes shop@${DENIED} true; echo "ended $?"`)).toMatch(
      /(closed|reset) by [\s\S]*ended 255$/,
    );
    expect(await psql(DENIED, 'select 1')).toMatch(/server closed the connection unexpectedly|reset by peer/);
    // Of an allowed host another port is another thing.
    expect(await psql(GIT, 'select 1')).toMatch(/server closed the connection unexpectedly|reset by peer/);
    const denied = (await netLog(p.dir)).filter(({ verdict, port = 443 }) => verdict === 'deny' && port !== 443);
    expect(denied.map(({ host, port, reason }) => [host, port, reason])).toEqual([
      ['other.host.sbx', 5432, expect.any(String)],
      [DENIED, 22, 'default-deny'],
      [DENIED, 5432, 'default-deny'],
      [GIT, 5432, 'default-deny'],
    ]);
  });

  const psql = (host: string, query: string) =>
    run(
      `PGPASSWORD=${database.password} timeout 120 psql -h ${host} -U ${database.user} -d postgres -Atc '${query}'; true`,
    );
});

describe('apt in a running sandbox', () => {
  // The bake has fetched no descriptions either.
  const update = 'sudo -n apt-get -q -o Acquire::Languages=none';

  test('shows the error of a denial', async () => {
    expect(await run(`${update} update; echo "ended $?"`)).toMatch(/403 {2}Forbidden by sbx[\s\S]*ended 100$/);
  });

  test('updates and installs from the mirror of this host once the preset is allowed', async () => {
    p.write(toml([...ALLOW, 'preset:apt']));
    await command(['apply', '--accept-widening']);
    // Once as if its settings named no proxy, once with them.
    await run(`${update} -o Acquire::http::Proxy=DIRECT -o Acquire::https::Proxy=DIRECT update`);
    await run('sudo -n apt-get -q -y install --no-install-recommends hello');
    expect(await run('hello')).toBe('Hello, world!');
  });
});

/** `/open/shop.git/HEAD` and the like, of the bare repository of the sshd. */
function repositoryFile(path: string): Buffer | undefined {
  const name = /^\/(?:open|closed)\/shop\.git\/([\w/.-]+)$/.exec(path)?.[1];
  if (name === undefined || name.includes('..')) return undefined;
  try {
    return readFileSync(join(ssh.repository, name));
  } catch {
    return undefined;
  }
}
