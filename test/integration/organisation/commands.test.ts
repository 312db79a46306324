/** The commands on a machine with an organisation's policy: a folder /etc of its own, in a mount namespace. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let dir: string;
let project: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-policy-')));
  project = join(dir, 'project');
  mkdirSync(project);
  mkdirSync(join(dir, 'etc/sbx'), { recursive: true });
  for (const name of ['passwd', 'group', 'os-release', 'hosts', 'resolv.conf', 'ld.so.cache', 'alternatives', 'ssl'])
    cpSync(join('/etc', name), join(dir, 'etc', name), {
      recursive: true,
      dereference: name !== 'ssl' && name !== 'alternatives',
      force: true,
    });
  writeFileSync(join(project, 'sandbox.toml'), 'version = 1\nname = "shop"\n[resources]\ncpus = 2\n');
});
afterEach(async () => {
  await sbx(['daemon', 'stop', '--yes']);
  rmSync(dir, { recursive: true, force: true });
});

const policy = (text: string) => writeFileSync(join(dir, 'etc/sbx/policy.toml'), text, { mode: 0o644 });

/** As root of the namespace, to whom the files of the test belong. */
function sbx(args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const jail = ['--dev-bind', '/', '/', '--bind', join(dir, 'etc'), '/etc'];
  const user = process.getuid?.() === 0 ? [] : ['--unshare-user', '--uid', '0', '--gid', '0'];
  const env = { ...process.env, SBX_HOME: join(dir, 'home'), HOME: dir };
  return new Promise((done) => {
    execFile('bwrap', [...user, ...jail, resolve('bin/sbx'), ...args], { cwd: project, env }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr }),
    );
  });
}

describe('with a policy of the organisation', () => {
  test('plan and doctor show it, and a project beyond it is refused with both places', async () => {
    policy('version = 1\n[network]\ndeny = ["*.paste.test"]\n[limits]\ncpus = 2\n');
    const shown = await sbx(['plan']);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain('/etc/sbx/policy.toml: denies *.paste.test; cpus at most 2');
    expect((await sbx(['doctor'])).stdout).toContain('ok      policy: /etc/sbx/policy.toml: denies *.paste.test');
    writeFileSync(join(project, 'sandbox.toml'), 'version = 1\nname = "shop"\n[resources]\ncpus = 3\n');
    const refused = await sbx(['plan', '--json']);
    expect(refused.code).toBe(4);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: {
        code: 'refused-policy',
        file: join(project, 'sandbox.toml'),
        line: 4,
        why: expect.stringContaining('/etc/sbx/policy.toml:5'),
      },
    });
  });

  test('that is not valid nothing is planned, and doctor says where', async () => {
    policy('version = 1\n[limits]\ncpu = 2\n');
    expect(await sbx(['plan'])).toMatchObject({ code: 2, stderr: expect.stringContaining('/etc/sbx/policy.toml:3') });
    expect((await sbx(['doctor'])).stdout).toMatch(
      /FAILED {2}policy: unknown key "limits.cpu" \(\/etc\/sbx\/policy.toml:3\)/,
    );
    rmSync(join(dir, 'etc/sbx/policy.toml'));
    expect(await sbx(['plan'])).toMatchObject({ code: 0 });
  });
});
