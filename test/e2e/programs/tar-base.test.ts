/** A base of the user's own: a tar of a root file system, as small as Debian makes one. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inside, json, must, project, SMALL } from '../harness.ts';

test('a root file system tar becomes a sandbox with its own system, the user agent and the workspace', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-tar-'));
  try {
    const tar = join(dir, 'root.tar');
    const marked = ['--customize-hook=echo of-my-own > "$1/etc/marked"'];
    execFileSync('mmdebstrap', ['--mode=unshare', '--variant=minbase', ...marked, suite(), tar], { stdio: 'pipe' });
    await using p = project('tar', `version = 1\n${SMALL}[image]\nbase = "${tar}"\n`);
    await must(['apply', '--yes'], { cwd: p.dir });
    expect(await inside(p.dir, 'cat /etc/marked; id -un; pwd; echo here > file')).toBe(`of-my-own\nagent\n${p.dir}`);
    expect(await inside(p.dir, 'command -v curl sudo git || echo none')).toBe('none');
    expect(await json(['apply'], { cwd: p.dir })).toMatchObject({ steps: [] });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

function suite(): string {
  return execFileSync('sh', ['-c', '. /etc/os-release && printf %s "$VERSION_CODENAME"'], { encoding: 'utf8' });
}
