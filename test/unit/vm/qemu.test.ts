import { describe, expect, test } from 'vitest';
import type { VmShape } from '../../../lib/vm/driver.ts';
import { buildQemuArgs, type QemuFacts, versionAtLeast } from '../../../lib/vm/qemu/args.ts';
import { buildJailArgs } from '../../../lib/vm/qemu/jail.ts';

const SHAPE: VmShape = {
  cpus: 2,
  memoryBytes: 2 ** 30,
  kernel: '/store/kernel/vmlinuz',
  initrd: '/store/kernel/initrd',
  cmdline: '',
  disks: [
    {
      serial: 'sbx-root',
      path: '/i/disk,1.qcow2',
      format: 'qcow2',
      readonly: false,
      backing: ['/store/base/root.ext4'],
    },
  ],
  mounts: [],
};
const FACTS: QemuFacts = { accel: 'tcg', version: '7.2.22', tscKhz: 2_100_000, translationCacheMib: 64 };
const args = (facts: Partial<QemuFacts> = {}, ram: Parameters<typeof buildQemuArgs>[0]['ram'] = { kind: 'private' }) =>
  buildQemuArgs({ shape: SHAPE, facts: { ...FACTS, ...facts }, ram, marker: 'sbx-vm:/i' });
const argOf = (list: string[], flag: string) => list[list.indexOf(flag) + 1] ?? '';

describe('QEMU arguments', () => {
  test('the network card reaches one address and port, and nothing by IPv6', () => {
    expect(argOf(args(), '-netdev')).toBe(
      'user,id=net,restrict=on,ipv6=off,guestfwd=tcp:10.0.2.100:3128-cmd:socat -t 60 STDIO,,shut-down UNIX-CONNECT:/door/proxy',
    );
    expect(args().filter((arg) => arg === '-netdev')).toHaveLength(1);
    expect(args().join(' ')).not.toMatch(/hostfwd|tftp|smb/);
  });

  test('backing files are named by where they are now, not by what the images say', () => {
    const backing = ['/s/warm/a,b.qcow2', '/s/base/root.ext4'];
    const [disk] = SHAPE.disks.map((one) => ({ ...one, backing }));
    const list = buildQemuArgs({
      shape: { ...SHAPE, disks: disk === undefined ? [] : [disk] },
      facts: FACTS,
      ram: { kind: 'private' },
      marker: 'm',
    });
    expect(argOf(list, '-drive')).toContain(
      'backing.driver=qcow2,backing.file.driver=file,backing.file.filename=/s/warm/a,,b.qcow2,backing.backing.driver=raw,backing.backing.file.driver=file,backing.backing.file.filename=/s/base/root.ext4',
    );
  });

  test('seccomp is on', () => {
    expect(argOf(args(), '-sandbox')).toBe('on,obsolete=deny,resourcecontrol=deny');
  });

  test('under emulation the clock of the host is told to the guest', () => {
    expect(argOf(args(), '-append')).toContain('tsc_early_khz=2100000 no_timer_check');
    expect(argOf(args({ accel: 'kvm' }), '-append')).not.toContain('tsc_early_khz');
  });

  test('each version gets the form that it boots with', () => {
    expect(argOf(args(), '-M')).toContain('x-option-roms=off');
    expect(argOf(args({ version: '10.0.2' }), '-M')).not.toContain('x-option-roms');
    const clone = { kind: 'clone', file: '/store/warm/ram' } as const;
    expect(argOf(args({}, clone), '-object')).toBe(
      'memory-backend-file,id=ram,size=1024M,mem-path=/store/warm/ram,share=off',
    );
    expect(argOf(args({ version: '8.2.1' }, clone), '-object')).toContain('readonly=on,rom=off');
    expect([versionAtLeast('8.2.0', 8, 2), versionAtLeast('8.1.9', 8, 2), versionAtLeast('10.0', 8, 2)]).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('only a clone waits for its device state; a comma in a path is no option', () => {
    expect(args().slice(-1)).toEqual(['-S']);
    expect(args().includes('-incoming')).toBe(false);
    expect(args({}, { kind: 'clone', file: '/r' }).slice(-3)).toEqual(['-S', '-incoming', 'defer']);
    expect(argOf(args(), '-drive')).toContain('file=/i/disk,,1.qcow2,');
  });
});

describe('jail arguments', () => {
  const jail = buildJailArgs({
    run: '/i/run',
    door: '/i/door',
    console: '/i/console',
    readFiles: ['/store/kernel/vmlinuz'],
    writeFiles: ['/i/disk'],
    mounts: [
      { source: '/ws', target: '/export/ws', readonly: false },
      { source: '/dev/null', target: '/export/ws/.env', readonly: true },
      { source: 'empty-dir', target: '/export/ws/secret', readonly: true },
    ],
    kvm: false,
    emptyDir: '/i/empty',
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
      '--ro-bind /i/door /door',
      '--bind /i/console /vm-console',
      '--ro-bind /store/kernel/vmlinuz /store/kernel/vmlinuz',
      '--bind /i/disk /i/disk',
      '--bind /ws /export/ws',
      '--ro-bind /dev/null /export/ws/.env',
      '--ro-bind /i/empty /export/ws/secret',
    ]);
    expect(jail.at(-1)).toBe('--');
  });

  test('nothing can be made beside the mounts', () => {
    expect(text).toMatch(/--remount-ro \/export --remount-ro \/ /);
    expect(jail.indexOf('--remount-ro')).toBeGreaterThan(jail.lastIndexOf('--bind'));
  });
});
