/** Stands for QEMU, the relay and the guest's kernel: listens in a link folder, and speaks FUSE with the server that connects. */
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GREETING } from '../../../../lib/guest/workspace/relay.ts';
import { listenAt } from '../../../../lib/system/unix-socket.ts';
import { type Entry, frame, name, OP, pack, readEntry, u32, u64 } from '../server/wire.ts';

export const [ENOENT, EBADF, EROFS] = [2, 9, 30];

export class FakeVm implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  #socket: Socket | undefined;
  #unique = 1;
  #received: Buffer = Buffer.alloc(0);
  /** The process of the guest that asks */
  user = { uid: 1000, gid: 1000 };
  /** How many connections there were */
  connections = 0;

  private constructor() {
    this.#server = createServer((socket) => {
      this.connections += 1;
      this.#sockets.push(socket);
      this.#socket = socket;
      this.#received = Buffer.alloc(0);
      const take = (chunk: Buffer) => {
        if (socket === this.#socket) this.#received = Buffer.concat([this.#received, chunk]);
      };
      socket.on('error', () => {}).on('data', take);
      socket.write(GREETING);
    });
  }

  static async boot(link: string): Promise<FakeVm> {
    const vm = new FakeVm();
    await listenAt(vm.#server, join(link, 'port'));
    return vm;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Waits for a connection besides the first `count` ones. */
  async connected(count = 0): Promise<void> {
    while (this.connections <= count || this.#socket?.destroyed !== false) await sleep(5);
  }

  async mount(): Promise<void> {
    await this.connected();
    await this.ask(OP.INIT, 0, pack(u32(7), u32(31), u32(131072), u32(0xffff_ffff)));
  }

  /** One at a time. @returns the errno, 0 for success, and the body; @throws when the connection ends */
  async ask(opcode: number, node: number, body: Buffer = Buffer.alloc(0)): Promise<{ errno: number; body: Buffer }> {
    const socket = this.#socket;
    const unique = this.#unique++;
    socket?.write(frame({ opcode, unique, node, ...this.user }, body));
    for (;;) {
      const message = this.#next();
      if (message !== undefined && Number(message.readBigUInt64LE(8)) === unique)
        return { errno: Math.abs(message.readInt32LE(4)), body: message.subarray(16) };
      if (message === undefined && (socket !== this.#socket || socket?.destroyed !== false))
        throw new Error('the connection has ended');
      if (message === undefined) await sleep(2);
    }
  }

  async lookup(parent: number, path: string): Promise<number> {
    const { errno, body } = await this.ask(OP.LOOKUP, parent, name(path));
    // A name that the kernel may remember as missing has no node.
    return errno === 0 && readEntry(body).node === 0 ? ENOENT : errno;
  }

  async entry(parent: number, path: string): Promise<Entry> {
    const { errno, body } = await this.ask(OP.LOOKUP, parent, name(path));
    if (errno !== 0) throw new Error(`errno ${errno} for ${path}`);
    return readEntry(body);
  }

  async stat(node: number): Promise<number> {
    return (await this.ask(OP.GETATTR, node, pack(u32(0), u32(0), u64(0)))).errno;
  }

  async open(node: number, flags = 0): Promise<{ errno: number; handle: bigint }> {
    const { errno, body } = await this.ask(OP.OPEN, node, pack(u32(flags), u32(0)));
    return { errno, handle: errno === 0 ? body.readBigUInt64LE(0) : 0n };
  }

  async read(node: number, handle: bigint): Promise<{ errno: number; text: string }> {
    const request = pack(u64(handle), u64(0), u32(4096), u32(0), u64(0), u32(0), u32(0));
    const { errno, body } = await this.ask(OP.READ, node, request);
    return { errno, text: body.toString() };
  }

  /** Creates a file, or says why not. */
  async create(parent: number, path: string): Promise<number> {
    return (await this.ask(OP.CREATE, parent, pack(u32(0o102), u32(0o644), u32(0), u32(0), name(path)))).errno;
  }

  #next(): Buffer | undefined {
    const length = this.#received.length < 16 ? 16 : this.#received.readUInt32LE(0);
    if (this.#received.length < length) return undefined;
    const message = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return message;
  }
}
