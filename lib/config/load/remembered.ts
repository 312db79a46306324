/**
 * A project's spec as it was loaded last, for as long as everything that it was made of is the same. Reading and checking a file takes a
 * command tens of milliseconds; looking whether it changed takes one. What is not simple is loaded anew each time.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProjectSpec, SandboxSpec } from '../../spec/spec.ts';
import type { HostFacts } from '../resolve/host-facts.ts';
import type { HostRegistries } from '../resolve/presets.ts';
import { templatesDir } from './templates.ts';

export interface Memory {
  /** Folder of what is remembered, one file a project: the user's own, nothing of a project reaches it */
  dir: string;
  /** What this program is built of: another one may read files in another way */
  build: string;
}

export interface RememberedOptions {
  cwd: string;
  host: HostFacts;
  memory: Memory;
  load: (host: HostFacts) => Promise<ProjectSpec>;
}

interface Remembered {
  build: string;
  facts: unknown[];
  /** Undefined: no list names a preset */
  registries?: HostRegistries;
  /** Path and content of every file that was read */
  texts: [string, string][];
  spec: ProjectSpec;
}

const FILE_NAME = 'sandbox.toml';
const MOST_KEPT = 64;
/** Longest name of a file, bytes */
const NAME_MAX = 255;

/** As `load` says, or as it said when everything was the same. @throws what `load` throws. */
export async function loadRemembered({ cwd, host, memory, load }: RememberedOptions): Promise<ProjectSpec> {
  const file = fileFor(cwd, memory);
  const known = file === undefined ? undefined : await recall(file, { cwd, host, build: memory.build });
  if (known !== undefined) return known;
  let registries: HostRegistries | undefined;
  const facts = factsOf(host);
  const spec = await load({
    ...host,
    registries: async () => {
      registries = await host.registries();
      return registries;
    },
  });
  if (file === undefined || spec.dir !== realFolder(cwd) || !isSimple(spec)) return spec;
  const texts = spec.files.map((path): [string, string] => [path, readFileSync(path, 'utf8')]);
  // A file that changed while it was read has a newer text here than in the spec: it is looked at again before anything is kept.
  const again = await load(host);
  if (JSON.stringify(again) === JSON.stringify(spec))
    await keep(file, { build: memory.build, facts, ...(registries === undefined ? {} : { registries }), texts, spec });
  return again;
}

async function recall(
  file: string,
  { cwd, host, build }: { cwd: string; host: HostFacts; build: string },
): Promise<ProjectSpec | undefined> {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Remembered;
    if (kept.build !== build || kept.spec.dir !== realFolder(cwd)) return undefined;
    // A link would be refused: only the file itself is protected.
    if (!lstatSync(join(cwd, FILE_NAME)).isFile()) return undefined;
    if (!kept.texts.every(([path, text]) => readFileSync(path, 'utf8') === text)) return undefined;
    if (JSON.stringify(kept.facts) !== JSON.stringify(factsOf(host))) return undefined;
    if (kept.registries !== undefined && JSON.stringify(kept.registries) !== JSON.stringify(await host.registries()))
      return undefined;
    return kept.spec;
  } catch {
    // Not there, or damaged: it is loaded.
    return undefined;
  }
}

async function keep(file: string, remembered: Remembered): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  const dir = dirname(file);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  forgetOldest(dir);
  await writeFileAtomic(file, JSON.stringify(remembered), { mode: 0o600 });
}

function forgetOldest(dir: string): void {
  const age = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const all = readdirSync(dir).map((name) => join(dir, name));
  for (const path of all.toSorted((a, b) => age(b) - age(a)).slice(MOST_KEPT - 1)) rmSync(path, { force: true });
}

/** All that a spec is made of beside its files. */
function factsOf({ cpus, home, os, stateDir }: HostFacts): unknown[] {
  return [cpus, home, realFolder(home) ?? null, os.id, os.codename, stateDir ?? null, realFolder(stateDir) ?? null];
}

/** It names no path of the host: whether one is there, and what it leads to, is not remembered. */
function isSimple({ dir, files, sandboxes }: ProjectSpec): boolean {
  const known = files.every((file) => file === join(dir, FILE_NAME) || dirname(file) === templatesDir());
  return known && sandboxes.every((one) => namesNoPath(one, dir));
}

function namesNoPath({ workspace, mounts, image, sources }: SandboxSpec, dir: string): boolean {
  const own = sources['workspace.path'] === undefined || sources['workspace.path'] === 'default';
  return own && workspace.path === dir && mounts.length === 0 && !image.base.startsWith('/');
}

function fileFor(cwd: string, { dir }: Memory): string | undefined {
  const real = realFolder(cwd);
  const name = real === undefined ? undefined : `${encodeURIComponent(real)}.json`;
  return name === undefined || name.length > NAME_MAX ? undefined : join(dir, name);
}

function realFolder(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : realpathSync.native(path);
  } catch {
    return undefined;
  }
}
