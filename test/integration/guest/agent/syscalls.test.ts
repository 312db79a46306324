import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSyscalls, type Syscalls } from '../../../../lib/guest/agent/syscalls.ts';
import { AUTHORITY_HASH } from '../../../../lib/guest/setup/operations.ts';

let dir: string;
let syscalls: Syscalls & AsyncDisposable;

beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-syscalls-')));
  syscalls = createSyscalls(['perl']);
});

afterAll(async () => {
  await syscalls[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

describe('the setup helper', () => {
  it('makes folders with those above, and keeps existing ones', async () => {
    const path = join(dir, 'a b/c;d/é');
    await syscalls([{ op: 'folder', path, mode: 0o700 }]);
    await syscalls([{ op: 'folder', path, mode: 0o755 }]);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('writes any text whole, over what was there', async () => {
    const path = join(dir, 'text');
    const text = 'line\nline; two \' " \\ $HOME ; host 00\n\u{1f600}\n';
    await syscalls([
      { op: 'write', path, text: 'much longer than what comes after it, by far and then some' },
      { op: 'write', path, text },
    ]);
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('prepends a text once, and keeps what the file has', async () => {
    const path = join(dir, 'prepended');
    writeFileSync(path, Buffer.from([0x23, 0xff, 0x0a]));
    await syscalls([{ op: 'prepend', path, text: '[include]\n' }]);
    await syscalls([{ op: 'prepend', path, text: '[include]\n' }]);
    expect(readFileSync(path)).toEqual(Buffer.concat([Buffer.from('[include]\n'), Buffer.from([0x23, 0xff, 0x0a])]));
    const fresh = join(dir, 'prepended-new');
    await syscalls([{ op: 'prepend', path: fresh, text: 'é\n' }]);
    expect(readFileSync(fresh, 'utf8')).toBe('é\n');
  });

  it('stops at the first failure and says what failed and why', async () => {
    const later = join(dir, 'later');
    const work = syscalls([
      { op: 'write', path: join(dir, 'missing/file'), text: 'x' },
      { op: 'write', path: later, text: 'x' },
    ]);
    await expect(work).rejects.toThrow(/^write .*missing\/file.*No such file/);
    expect(existsSync(later)).toBe(false);
  });

  it('continues after a failure', async () => {
    const path = join(dir, 'after');
    await expect(syscalls([{ op: 'write', path: dir, text: 'x' }])).rejects.toThrow(/directory/);
    await syscalls([{ op: 'write', path, text: 'x' }]);
    expect(readFileSync(path, 'utf8')).toBe('x');
  });

  it('adds a certificate to what is trusted, once, and keeps the rest', async () => {
    const [own, bundle, java] = [join(dir, 'local/share/sbx.crt'), join(dir, 'bundle.crt'), join(dir, 'cacerts')];
    const extra = join(dir, 'extra.pem');
    await using trusting = createSyscalls(['perl'], { own, bundle, extra, java });
    writeFileSync(bundle, 'others\n');
    writeFileSync(extra, 'ours\n');
    await trusting([{ op: 'trust', certificate: 'first\n' }]);
    expect(await trusting([{ op: 'trust', certificate: 'first\n' }])).toEqual({ java: false });
    expect([readFileSync(own, 'utf8'), readFileSync(bundle, 'utf8')]).toEqual(['first\n', 'others\nfirst\n']);
    await trusting([{ op: 'trust', certificate: 'second\n' }]);
    expect([readFileSync(own, 'utf8'), readFileSync(bundle, 'utf8')]).toEqual(['second\n', 'others\nfirst\nsecond\n']);
    expect(readFileSync(extra, 'utf8')).toBe('ours\nfirst\nsecond\n');
    expect(readlinkSync(join(dir, `${AUTHORITY_HASH}.0`))).toBe(own);
    expect(readlinkSync(join(dir, 'sbx.pem'))).toBe(own);
    writeFileSync(java, 'an old one');
    expect(await trusting([{ op: 'trust', certificate: 'second\n' }])).toEqual({ java: true });
    expect(await trusting([{ op: 'folder', path: dir, mode: 0o755 }])).toEqual({ java: false });
    rmSync(bundle);
    rmSync(extra);
    await trusting([{ op: 'trust', certificate: 'third\n' }]);
    expect([bundle, extra].filter((file) => existsSync(file))).toEqual([]);
  });

  it('does not mount over a symbolic link', async () => {
    const target = join(dir, 'link');
    symlinkSync('/etc', target);
    await expect(syscalls([{ op: 'bind', source: dir, target }])).rejects.toThrow(/^bind .*symbolic links/);
  });

  it('makes a mount point like its source before it mounts', async () => {
    // An ordinary user may not mount, and root mounts: the mount point is there either way.
    const file = join(dir, 'points/file');
    const source = join(dir, 'source');
    await syscalls([{ op: 'write', path: source, text: 'x' }]);
    const outcome = await syscalls([{ op: 'bind', source, target: file }]).catch((error: Error) => error);
    expect(statSync(file).isFile()).toBe(true);
    if (outcome instanceof Error) expect(outcome.message).toMatch(/^bind .*(not permitted|denied)/);
    else (await import('node:child_process')).execFileSync('umount', [file]);
  });

  it('limits the open files of a process', async () => {
    const child = spawn('sleep', ['1000']);
    try {
      await syscalls([{ op: 'open-files', pid: child.pid ?? 0, soft: 100, hard: 200 }]);
      expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max open files +100 +200 /m);
    } finally {
      child.kill();
    }
    await expect(syscalls([{ op: 'open-files', pid: 2 ** 22 + 1, soft: 1, hard: 1 }])).rejects.toThrow(/^open-files/);
  });
});
