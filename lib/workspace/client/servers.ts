/** The workspace servers of the daemon: one for each set of folders. They outlive it; one that ends is started again. */
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { SbxError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type Home, workspacePaths } from '../../paths.ts';
import { attachedFolders, folderSetOf, type ServedFolder } from './served-folders.ts';
import { Server } from './server.ts';
import { INSIDE } from './server-jail.ts';
import { endServer } from './server-process.ts';

export interface WorkspaceServersOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
  log: Log;
  bwrap?: string;
}

export interface Guest {
  id: string;
  /** Where it is written who serves the guest: as long as its VM runs */
  recordFile: string;
  /** Its private layer while it is not served */
  privateLayer: string;
}

interface GuestRecord {
  key: string;
  link: string;
}

export class WorkspaceServers implements AsyncDisposable {
  readonly #options: Required<WorkspaceServersOptions>;
  readonly #servers = new Map<string, Server>();

  constructor(options: WorkspaceServersOptions) {
    this.#options = { bwrap: '/usr/bin/bwrap', ...options };
  }

  /**
   * Serves the guest these folders. Again for a guest that is served: its rules are replaced at once.
   * @returns the folder in which QEMU makes the socket `port`, for its jail
   * @throws SbxError `workspace`, also when a folder of a running VM was replaced by another one
   */
  async attach({ id, recordFile, privateLayer }: Guest, folders: ServedFolder[]): Promise<{ link: string }> {
    const set = folderSetOf(folders);
    const known = readRecord(recordFile);
    if (known !== undefined && known.key !== set.key) throw replaced(id);
    const record = known ?? { key: set.key, link: randomBytes(8).toString('hex') };
    const server = this.#serverOf(record.key, set.folders);
    const link = join(server.paths.links, record.link);
    mkdirSync(link, { recursive: true, mode: 0o700 });
    writeFileAtomic.sync(recordFile, JSON.stringify(record), { mode: 0o600 });
    takeLayer(privateLayer, join(server.paths.layers, record.link), folders);
    await server.attach({
      op: 'attach',
      id: record.link,
      link: INSIDE.link(record.link),
      mailbox: INSIDE.mailbox(record.link),
      stateFile: INSIDE.state(record.link),
      folders: attachedFolders(folders, set, record.link),
    });
    return { link };
  }

  /** After the guest's VM has ended. No error when it is not served. */
  async detach({ recordFile, privateLayer }: Guest): Promise<void> {
    const record = readRecord(recordFile);
    if (record === undefined) return;
    const paths = workspacePaths(this.#options.home, record.key);
    await this.#servers.get(record.key)?.detach(record.link);
    rmSync(join(paths.links, record.link), { recursive: true, force: true });
    rmSync(join(paths.shared, `${record.link}.json`), { force: true });
    const layer = join(paths.layers, record.link);
    if (isThere(layer)) renameSync(layer, privateLayer);
    rmSync(recordFile, { force: true });
  }

  /** True when these are the folders that its server has. */
  serves({ recordFile }: Guest, folders: ServedFolder[]): boolean {
    return readRecord(recordFile)?.key === folderSetOf(folders).key;
  }

  /** The running VM of one guest becomes that of another. */
  move(from: Guest, to: Guest): void {
    renameSync(from.recordFile, to.recordFile);
  }

  /** Ends servers, and removes what they left, that serve none of these guests. */
  async sweep(recordFiles: string[]): Promise<void> {
    const { home } = this.#options;
    mkdirSync(home.workspaces, { recursive: true, mode: 0o700 });
    const used = new Set(recordFiles.flatMap((file) => readRecord(file)?.key ?? []));
    for (const key of readdirSync(home.workspaces).filter((one) => !used.has(one) && !this.#servers.has(one))) {
      const paths = workspacePaths(home, key);
      await endServer(paths);
      rmSync(paths.dir, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers.values()) server[Symbol.dispose]();
  }

  #serverOf(key: string, folders: Server['folders']): Server {
    const known = this.#servers.get(key);
    if (known !== undefined) return known;
    const { home, distDir, bwrap, log } = this.#options;
    const server = new Server({
      paths: workspacePaths(home, key),
      folders,
      distDir,
      bwrap,
      log,
      onUnused: () => this.#servers.delete(key),
    });
    this.#servers.set(key, server);
    return server;
  }
}

/** Where the server finds it. One that is there already is of a VM that runs. */
function takeLayer(from: string, to: string, folders: ServedFolder[]): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  if (!isThere(to) && isThere(from)) renameSync(from, to);
  for (const { name, rules } of folders)
    if (rules !== undefined) mkdirSync(join(to, name), { recursive: true, mode: 0o700 });
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function replaced(id: string): SbxError {
  return new SbxError('workspace', 'a folder of this sandbox was replaced by another one', {
    why: `${id} still serves the earlier folder`,
    hint: '`sbx restart` serves the one that is there now',
  });
}

function readRecord(file: string): GuestRecord | undefined {
  try {
    const { key, link } = JSON.parse(readFileSync(file, 'utf8')) as GuestRecord;
    return /^[0-9a-f]{16}$/.test(key) && /^[0-9a-f]{16}$/.test(link) ? { key, link } : undefined;
  } catch {
    return undefined;
  }
}
