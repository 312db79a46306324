/** Bases of the user's own, as small as Debian makes one: a tar of a root file system, and an image of a registry. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inside, json, must, project, SMALL, sbx } from '../harness.ts';
import { addLayer, configure, makeImage, pushImage } from './oci-image.ts';
import { startRegistry } from './real-servers.ts';

let dir: string;
let tar: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-tar-'));
  tar = join(dir, 'root.tar');
  const marked = ['--customize-hook=echo of-my-own > "$1/etc/marked"'];
  execFileSync('mmdebstrap', ['--mode=unshare', '--variant=minbase', ...marked, suite(), tar], { stdio: 'pipe' });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a root file system tar becomes a sandbox with its own system, the user agent and the workspace', async () => {
  await using p = project('tar', `version = 1\n${SMALL}[image]\nbase = "${tar}"\n`);
  await must(['apply', '--yes'], { cwd: p.dir });
  expect(await inside(p.dir, 'cat /etc/marked; id -un; pwd; echo here > file')).toBe(`of-my-own\nagent\n${p.dir}`);
  expect(await inside(p.dir, 'command -v curl sudo git || echo none')).toBe('none');
  expect(await json(['apply'], { cwd: p.dir })).toMatchObject({ steps: [] });
});

test('an image of a registry with a login becomes a sandbox, and stays what it was when its tag moves', async () => {
  const login = { user: 'team', password: 'secret-word' };
  await using registry = await startRegistry({ login });
  const reference = `localhost:${registry.port}/team/dev:1`;
  const image = makeImage({ dir, name: 'dev', tar });
  addLayer(image, dir, { '/etc/marked': undefined, '/opt/tool/bin/hello': 'of a second layer' });
  configure(image, ['--config.env', 'PATH=/opt/tool/bin:/usr/bin:/bin', '--config.env', 'TOOL_HOME=/opt/tool']);
  configure(image, ['--config.env', 'https_proxy=http://elsewhere.test', '--config.user', 'www-data']);
  pushImage(image, reference, login);
  await using p = project('oci', `version = 1\n${SMALL}[image]\nbase = "oci:${reference}"\n`);
  const denied = await sbx(['plan'], { cwd: p.dir });
  expect(denied).toMatchObject({ code: 1, stderr: expect.stringMatching(/requires a login for team\/dev/) });
  const name = `registry-localhost-${registry.port}`;
  await must(['secret', 'set', name], { cwd: p.dir, input: `${login.user}:${login.password}\n` });
  try {
    await must(['apply', '--yes'], { cwd: p.dir });
    const said =
      'cat /opt/tool/bin/hello; echo; test -e /etc/marked || echo gone; id -un; pwd; echo $TOOL_HOME; echo $PATH';
    const path = '/opt/tool/bin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/opt/sbx/bin';
    expect(await inside(p.dir, said)).toBe(`of a second layer\ngone\nagent\n${p.dir}\n/opt/tool\n${path}`);
    // Neither the login of the registry nor a way past the egress proxy
    expect(await inside(p.dir, 'env | grep -ci -e secret-word -e elsewhere || true')).toBe('0');
    addLayer(image, dir, { '/opt/tool/bin/hello': 'moved' });
    pushImage(image, reference, login);
    expect(await json(['plan'], { cwd: p.dir })).toMatchObject({ changes: [], steps: [] });
    const { changes } = await json<{ changes: { path: string }[] }>(['plan', '--rebuild'], { cwd: p.dir });
    expect(changes.map(({ path }) => path)).toContain('image.digest');
  } finally {
    await sbx(['secret', 'rm', name], { cwd: p.dir });
  }
});

function suite(): string {
  return execFileSync('sh', ['-c', '. /etc/os-release && printf %s "$VERSION_CODENAME"'], { encoding: 'utf8' });
}
