/** The folders of `[agent] keep` on the host: one set for each sandbox, by its project and name, which outlives the sandbox. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { type Home, keptPaths } from '../../../paths.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { removeTree } from '../../../system/remove-tree.ts';
import type { KeptFolder } from '../../../workspace/folders.ts';

/** Home folder of the user `agent` */
export const AGENT_HOME = '/home/agent';
/** Longest name that says what is in it */
const NAME_MAX = 200;

/** Whose it is: a sandbox that may be gone. */
export interface KeptOwner {
  version: 1;
  projectDir: string;
  name: string;
}

/**
 * Made where they are missing. Two sandboxes never share one: SQLite and other programs keep what they share in memory, which two VMs do not have in
 * common.
 */
export async function keptFolders(home: Home, id: string, { agent }: SandboxSpec): Promise<KeptFolder[]> {
  const { keep = [], keepExcept = [] } = agent;
  if (keep.length === 0) return [];
  const { folders } = keptPaths(home, id);
  return Promise.all(
    keep.map(async (path) => {
      const host = join(folders, nameOf(path));
      await mkdir(host, { recursive: true, mode: 0o700 });
      const except = keepExcept.filter((one) => one.startsWith(`${path}/`)).map((one) => one.slice(path.length + 1));
      // Its folders above belong to the user alone: no guest can have made a link of them.
      return { host: await realpath(host), guest: `${AGENT_HOME}/${path}`, except };
    }),
  );
}

/** Written before its first folder is used: `gc` finds the project by it. */
export async function noteKeptOwner(home: Home, id: string, owner: Omit<KeptOwner, 'version'>): Promise<void> {
  const { dir, owner: file } = keptPaths(home, id);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(file, JSON.stringify({ version: 1, ...owner } satisfies KeptOwner), { mode: 0o600 });
}

/** All of one sandbox, which MUST NOT run. */
export function removeKept(home: Home, id: string): void {
  removeTree(keptPaths(home, id).dir);
}

/** Of every sandbox, also of those that are gone. */
export function listKept(home: Home): { id: string; owner: KeptOwner | undefined }[] {
  return namesIn(home.kept).map((id) => ({ id, owner: ownerOf(keptPaths(home, id).owner) }));
}

function ownerOf(file: string): KeptOwner | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as KeptOwner;
  } catch {
    return undefined;
  }
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

/** `.local/share/tool` → `.local%2Fshare%2Ftool` */
function nameOf(path: string): string {
  const name = encodeURIComponent(path);
  return name.length <= NAME_MAX ? name : createHash('sha256').update(path).digest('hex');
}
