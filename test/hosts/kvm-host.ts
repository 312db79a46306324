/** An emulated host whose processor has SVM, and so a working /dev/kvm. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { tscKhzOf } from '../../lib/vm/qemu/cpuinfo.ts';
import type { Answer } from './clean-root.ts';
import { type HostDisk, makeHostDisk } from './kvm-disk.ts';

export interface KvmHost extends AsyncDisposable {
  /** Runs a shell script inside, as a login of the user would. */
  run: (user: 'root' | 'ada', script: string) => Promise<Answer>;
}

/** @param archive of `npm pack`. Needs root. */
export async function startKvmHost(suite: string, archive: string): Promise<KvmHost> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-kvm-'));
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    const machine = boot(await makeHostDisk(suite, archive, dir), dir);
    const end = async () => {
      await machine.end();
      remove();
    };
    try {
      return { run: await control(join(dir, 'control'), machine.ended), [Symbol.asyncDispose]: end };
    } catch (error) {
      await machine.end();
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
}

function boot(host: HostDisk, dir: string) {
  const console = join(dir, 'console');
  const log = openSync(join(dir, 'qemu.log'), 'w');
  const child = spawn('qemu-system-x86_64', qemuArgs(host, dir, console), { stdio: ['ignore', log, log] });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ended = exited.then((): never => {
    throw new Error(`the emulated host has ended\n${text(join(dir, 'qemu.log'))}\n${text(console)}`);
  });
  // Nothing waits for it once the tests are through.
  ended.catch(() => {});
  const text = (file: string) => readFileSync(file, 'utf8').slice(-4_000);
  return {
    /** Rejects when the machine has ended. */
    ended,
    async end() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function qemuArgs({ disk, kernel, initrd }: HostDisk, dir: string, console: string): string[] {
  // Without the rate, the kernel measures the counter against interrupts, which fails on a busy host.
  const tscKhz = tscKhzOf(readFileSync('/proc/cpuinfo', 'utf8'));
  const timer = tscKhz === undefined ? '' : `tsc_early_khz=${tscKhz} tsc=reliable no_timer_check`;
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-M', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'EPYC,+svm,+npt', '-smp', '2', '-m', '5120'],
    ...['-kernel', kernel, '-initrd', initrd],
    ...['-append', `root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off init=/srv/host-init.sh ${timer}`],
    ...['-drive', `file=${disk},format=raw,if=virtio,cache=unsafe`],
    ...['-chardev', `file,id=console,path=${console}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=control,path=${join(dir, 'control')},server=on,wait=off`],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=control,name=test.control'],
    ...['-device', 'virtio-rng-pci'],
  ];
}

/** Returns once the host answers. */
async function control(path: string, ended: Promise<never>): Promise<KvmHost['run']> {
  const socket = await Promise.race([connected(path), ended]);
  const waiting = new Map<string | number, (answer: Answer) => void>();
  const ready = new Promise<unknown>((resolve) => waiting.set(0, resolve));
  createInterface({ input: socket }).on('line', (line) => {
    const { id, ...answer } = JSON.parse(line) as Answer & { id: string | number };
    waiting.get(id)?.(answer);
    waiting.delete(id);
  });
  await Promise.race([ready, ended]);
  return (user, script) => {
    const id = randomUUID();
    const answer = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.write(`${JSON.stringify({ id, user, script })}\n`);
    return Promise.race([answer, ended]);
  };
}

async function connected(path: string): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    const opened = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (opened) return socket.on('error', () => {});
    await sleep(100);
  }
}
