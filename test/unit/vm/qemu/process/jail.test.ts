import { describe, expect, test } from 'vitest';
import { buildJailArgs } from '../../../../../lib/vm/qemu/process/jail.ts';

describe('jail arguments', () => {
  const jail = buildJailArgs({
    run: '/i/run',
    egress: '/i/egress',
    workspace: '/i/link',
    console: '/i/console',
    readFiles: ['/store/kernel/vmlinuz'],
    writeFiles: ['/i/disk'],
    kvm: false,
    state: undefined,
    stateWritable: false,
    infoFd: 3,
  });
  const text = jail.join(' ');

  test('every namespace is new, every capability gone, the environment empty', () => {
    for (const flag of [
      '--unshare-user',
      '--unshare-pid',
      '--unshare-net',
      '--unshare-ipc',
      '--unshare-uts',
      '--clearenv',
      '--new-session',
    ])
      expect(jail).toContain(flag);
    expect(text).toContain('--cap-drop ALL');
    expect(text).not.toContain('--share-net');
  });

  test('of the host there is /usr, read-only, and what was asked for', () => {
    const binds = jail.flatMap((arg, index) =>
      /^--(ro-|dev-)?bind(-try)?$/.test(arg) ? [`${arg} ${jail[index + 1]} ${jail[index + 2]}`] : [],
    );
    expect(binds).toEqual([
      '--ro-bind /usr /usr',
      '--ro-bind-try /etc/ld.so.cache /etc/ld.so.cache',
      '--bind /i/run /vm',
      '--ro-bind /i/egress /egress',
      '--bind /i/link /workspace',
      '--bind /i/console /vm-console',
      '--ro-bind /store/kernel/vmlinuz /store/kernel/vmlinuz',
      '--bind /i/disk /i/disk',
    ]);
    expect(jail.at(-1)).toBe('--');
  });

  test('nothing can be made beside the mounts', () => {
    expect(text).toContain('--remount-ro / ');
    expect(jail.indexOf('--remount-ro')).toBeGreaterThan(jail.lastIndexOf('--bind'));
  });
});
