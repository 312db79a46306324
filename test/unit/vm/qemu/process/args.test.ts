import { describe, expect, test } from 'vitest';
import type { VmConfig } from '../../../../../lib/vm/driver.ts';
import { buildQemuArgs, type QemuFacts, versionAtLeast } from '../../../../../lib/vm/qemu/process/args.ts';

const CONFIG: VmConfig = {
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
};
const FACTS: QemuFacts = { accel: 'tcg', version: '7.2.22', tscKhz: 2_100_000, processor: '', translationCacheMib: 64 };
const args = (facts: Partial<QemuFacts> = {}, ram: Parameters<typeof buildQemuArgs>[0]['ram'] = { kind: 'private' }) =>
  buildQemuArgs({ config: CONFIG, facts: { ...FACTS, ...facts }, ram, marker: 'sbx-vm:/i' });
const argOf = (list: string[], flag: string) => list[list.indexOf(flag) + 1] ?? '';

describe('QEMU arguments', () => {
  test('the network card reaches one address and port, and nothing by IPv6', () => {
    expect(argOf(args(), '-netdev')).toBe(
      'user,id=net,restrict=on,ipv6=off,guestfwd=tcp:10.0.2.100:3128-cmd:socat -t 60 STDIO,,shut-down UNIX-CONNECT:/egress/proxy',
    );
    expect(args().filter((arg) => arg === '-netdev')).toHaveLength(1);
    expect(args().join(' ')).not.toMatch(/hostfwd|tftp|smb/);
  });

  test('backing files are named by where they are now, not by what the images say', () => {
    const backing = ['/s/warm/a,b.qcow2', '/s/base/root.ext4'];
    const [disk] = CONFIG.disks.map((one) => ({ ...one, backing }));
    const list = buildQemuArgs({
      config: { ...CONFIG, disks: disk === undefined ? [] : [disk] },
      facts: FACTS,
      ram: { kind: 'private' },
      marker: 'm',
    });
    expect(argOf(list, '-drive')).toContain(
      'backing.driver=qcow2,backing.file.driver=file,backing.file.filename=/s/warm/a,,b.qcow2,backing.backing.driver=raw,backing.backing.file.driver=file,backing.backing.file.filename=/s/base/root.ext4',
    );
  });

  test('every VM has the port and the mailbox of the workspace, also the one of a snapshot and its clones', () => {
    const all = [
      args(),
      args({}, { kind: 'capture', file: '/r' }),
      args({}, { kind: 'clone', file: '/r' }),
      buildQemuArgs({
        config: { ...CONFIG, workspace: { link: '/i/link' } },
        facts: FACTS,
        ram: { kind: 'private' },
        marker: 'm',
      }),
    ];
    for (const list of all) {
      expect(list).toContain('virtio-serial-device,max_ports=4');
      expect(list).toContain('socket,id=workspace,path=/workspace/port,server=on,wait=off');
      expect(list).toContain('virtserialport,chardev=workspace,name=sbx.workspace');
      expect(list).toContain('virtio-blk-device,drive=mailbox,serial=sbx-mailbox');
      // The host's folder has another place in the jail.
      expect(list.join(' ')).not.toContain('/i/link');
    }
  });

  test('no more devices than the machine has places for', () => {
    const disk = CONFIG.disks[0];
    const disks = disk === undefined ? [] : [disk, { ...disk, serial: 'sbx-runtime' }];
    const list = buildQemuArgs({ config: { ...CONFIG, disks }, facts: FACTS, ram: { kind: 'private' }, marker: 'm' });
    // It has eight.
    expect(list.filter((arg) => /^virtio-[a-z0-9]+-device/.test(arg))).toHaveLength(7);
  });

  test('a full host fails a write to the mailbox and stops no VM', () => {
    const mailbox = args().find((arg) => arg.startsWith('id=mailbox,'));
    expect(mailbox).toContain(',file=/workspace/mailbox,format=raw,');
    expect(mailbox).toContain(',werror=report,rerror=report');
  });

  test('seccomp is on', () => {
    expect(argOf(args(), '-sandbox')).toBe('on,obsolete=deny,resourcecontrol=deny');
  });

  test('under emulation the clock of the host is told to the guest', () => {
    expect(argOf(args(), '-append')).toContain('tsc_early_khz=2100000 tsc=reliable no_timer_check');
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

  test('only a clone waits for its device state', () => {
    expect(args().slice(-1)).toEqual(['-S']);
    expect(args().includes('-incoming')).toBe(false);
    expect(args({}, { kind: 'clone', file: '/r' }).slice(-3)).toEqual(['-S', '-incoming', 'defer']);
  });

  test('a comma in a path does not begin an option', () => {
    const file = '/home/a,share=off/ram';
    expect(argOf(args(), '-drive')).toContain('file=/i/disk,,1.qcow2,');
    for (const kind of ['capture', 'clone'] as const)
      expect(argOf(args({}, { kind, file }), '-object')).toContain(',mem-path=/home/a,,share=off/ram,share=');
  });
});
