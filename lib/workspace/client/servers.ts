/** The workspace servers of the daemon: one for each set of folders. They outlive it; one that ends is started again. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SbxError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { type Home, workspacePaths } from '../../paths.ts';
import type { Watched } from '../protocol/messages.ts';
import { askExplanation, askServer, type PathExplanation } from './ask.ts';
import { type Follow, Followed } from './follow.ts';
import { folderId, readGuestRecord, writeGuestRecord } from './guest-record.ts';
import { giveBackLayer, removeServerFolder, takeLayer } from './layer-folder.ts';
import { giveState, makeLinkFolder, removeLink, takeState } from './link-folder.ts';
import { release, releaseOthers } from './release.ts';
import { attachRequest, folderSetOf, type ServedFolder } from './served-folders.ts';
import { Server } from './server.ts';
import { endServer, endStrays, findServer } from './server-process.ts';
import { changedFolder, type WorkspaceState } from './workspace-state.ts';

export interface WorkspaceServersOptions {
  home: Home;
  /** Folder of the bundles */
  distDir: string;
  log: Log;
  bwrap?: string;
  /** What is outside of the folders and changes their rules; default: nothing */
  follow?: Follow;
}

export interface Guest {
  id: string;
  /** Where it is written who serves the guest: as long as its VM runs */
  recordFile: string;
  /** Its private layer while it is not served */
  privateLayer: string;
  /** What it has open, while it is suspended. Absent: it never is */
  stateFile?: string;
}

export interface FolderPath {
  /** Name of the served folder */
  folder: string;
  /** Relative to it */
  path: string;
}

export class WorkspaceServers implements AsyncDisposable {
  readonly #options: Required<Omit<WorkspaceServersOptions, 'follow'>>;
  readonly #servers = new Map<string, Server>();
  readonly #followed: Followed;

  constructor(options: WorkspaceServersOptions) {
    const { follow } = options;
    this.#options = { bwrap: '/usr/bin/bwrap', ...options };
    this.#followed = new Followed({ log: options.log, ...(follow === undefined ? {} : { follow }) });
  }

  /**
   * Serves the guest these folders. Again for a guest that is served: its rules are replaced at once.
   * @returns the folder in which QEMU makes the socket `port`, for its jail
   * @throws SbxError `workspace`, also when a folder of a running VM was replaced by another one
   */
  async attach({ id, recordFile, privateLayer, stateFile }: Guest, folders: ServedFolder[]): Promise<{ link: string }> {
    const set = folderSetOf(folders);
    const known = readGuestRecord(recordFile);
    if (known !== undefined && known.key !== set.key) throw replaced(id);
    const record = known ?? {
      key: set.key,
      link: randomBytes(8).toString('hex'),
      folders: folders.filter(({ isFile }) => !isFile).map(({ path }) => ({ path, id: folderId(path) })),
    };
    const server = this.#serverOf(record.key, set.folders);
    const link = makeLinkFolder(server.paths, record.link);
    writeGuestRecord(recordFile, record);
    if (stateFile !== undefined) giveState(server.paths, record.link, stateFile);
    takeLayer(server.paths, { id: record.link, privateLayer }, namesWithRules(folders));
    await this.#followed.stop(record.link);
    const attach = (now: ServedFolder[]) => server.attach(attachRequest(record.link, now, set));
    await attach(folders);
    this.#followed.start(record.link, folders, attach);
    return { link };
  }

  /**
   * Serves the guest no longer; what it has open is in its `stateFile`, for the next `attach`. Its VM MUST run, and keeps its link;
   * `isWaiting`: it has not run since the last `attach`, so that a server that is gone takes nothing with it.
   * No error when it is not served. @throws SbxError `workspace`
   */
  async suspend({ recordFile, stateFile }: Guest, { isWaiting = false } = {}): Promise<void> {
    const record = readGuestRecord(recordFile);
    if (record === undefined || stateFile === undefined) return;
    await this.#followed.stop(record.link);
    const paths = workspacePaths(this.#options.home, record.key);
    const server = this.#servers.get(record.key);
    const suspend = async () => {
      if (server === undefined) await askServer(paths.control, { op: 'suspend', id: record.link });
      else await server.suspend(record.link);
    };
    await suspend().catch((error: unknown) => {
      if (!isWaiting) throw error;
    });
    takeState(paths, record.link, stateFile);
  }

  /** After the guest's VM has ended. No error when it is not served. */
  async detach({ recordFile, privateLayer }: Guest): Promise<void> {
    const record = readGuestRecord(recordFile);
    if (record === undefined) return;
    await this.#followed.stop(record.link);
    const paths = workspacePaths(this.#options.home, record.key);
    await (this.#servers.get(record.key)?.detach(record.link) ?? release(paths, record.link));
    removeLink(paths, record.link);
    giveBackLayer(paths, { id: record.link, privateLayer });
    rmSync(recordFile, { force: true });
  }

  /**
   * What the guest gets at a path of one of its folders, by what is on the host now.
   * @returns undefined when it is not served; @throws SbxError `workspace`
   */
  async explain({ recordFile }: Guest, { folder, path }: FolderPath): Promise<PathExplanation | undefined> {
    const record = readGuestRecord(recordFile);
    if (record === undefined) return undefined;
    const { control } = workspacePaths(this.#options.home, record.key);
    return askExplanation(control, { op: 'explain', id: record.link, folder, path });
  }

  /** Its private layer is in the hands of a server. */
  isServed({ recordFile }: Guest): boolean {
    return readGuestRecord(recordFile) !== undefined;
  }

  /** An entry of the private layer of a guest that is served is on the host now. No error when it is not served. */
  async takeOut({ recordFile }: Guest, { folder, path }: FolderPath): Promise<void> {
    const record = readGuestRecord(recordFile);
    if (record === undefined) return;
    const { control } = workspacePaths(this.#options.home, record.key);
    await askServer(control, { op: 'take-out', id: record.link, folder, path });
  }

  /** True when these are the folders that its server has. */
  serves({ recordFile }: Guest, folders: ServedFolder[]): boolean {
    return readGuestRecord(recordFile)?.key === folderSetOf(folders).key;
  }

  /** Undefined for a guest that has no folders of the host. */
  state({ recordFile }: Guest): WorkspaceState | undefined {
    const record = readGuestRecord(recordFile);
    if (record === undefined) return undefined;
    const server = this.#servers.get(record.key);
    const lost = server?.isLost ?? findServer(workspacePaths(this.#options.home, record.key)) === undefined;
    return lost ? { is: 'lost' } : (changedFolder(record.folders ?? []) ?? { is: 'served' });
  }

  /** Host folder in which the guest's VM and its server meet. Undefined: no server has it */
  linkOf({ recordFile }: Guest): string | undefined {
    const record = readGuestRecord(recordFile);
    return record && join(workspacePaths(this.#options.home, record.key).links, record.link);
  }

  /** Where its private layer lies: a real folder, and names below it of which a guest or a server may have made links. */
  layerOf({ recordFile, privateLayer }: Guest): { base: string; names: string[] } {
    const record = readGuestRecord(recordFile);
    if (record === undefined) return { base: realpathSync(dirname(privateLayer)), names: [basename(privateLayer)] };
    const { dir } = workspacePaths(this.#options.home, record.key);
    return { base: realpathSync(dir), names: ['shared', 'layers', record.link] };
  }

  /** How much of what the guest uses is watched on the host; undefined: unknown, or nothing is served */
  watchedOf({ recordFile }: Guest): Watched | undefined {
    const record = readGuestRecord(recordFile);
    return record === undefined ? undefined : this.#servers.get(record.key)?.watchedOf(record.link);
  }

  /** The running VM of one guest becomes that of another. */
  move(from: Guest, to: Guest): void {
    if (existsSync(from.recordFile)) renameSync(from.recordFile, to.recordFile);
  }

  /** At the start of a daemon: ends servers, and removes what they left, that serve none of these guests. */
  async sweep(recordFiles: string[]): Promise<void> {
    const { home, log } = this.#options;
    mkdirSync(home.workspaces, { recursive: true, mode: 0o700 });
    const records = recordFiles.flatMap((file) => readGuestRecord(file) ?? []);
    const isUsed = (key: string) => this.#servers.has(key) || records.some((one) => one.key === key);
    endStrays(home.workspaces, isUsed);
    for (const key of readdirSync(home.workspaces)) {
      const paths = workspacePaths(home, key);
      const links = records.filter((one) => one.key === key).map(({ link }) => link);
      if (links.length > 0 && !this.#servers.has(key)) await releaseOthers(paths, links);
      if (isUsed(key)) continue;
      await endServer(paths);
      if (!removeServerFolder(paths))
        log.warn(`${paths.layers} holds private files of a sandbox without a record: kept`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#followed[Symbol.asyncDispose]();
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

function namesWithRules(folders: ServedFolder[]): string[] {
  return folders.filter(({ rules }) => rules !== undefined).map(({ name }) => name);
}

function replaced(id: string): SbxError {
  return new SbxError('workspace', 'a folder of this sandbox was replaced by another one', {
    why: `${id} still serves the earlier folder`,
    hint: '`sbx restart` serves the one that is there now',
  });
}
