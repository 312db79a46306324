/** The kernel layer: Debian's generic kernel, an initramfs, and the tree that the runtime disk is made of. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../../errors.ts';
import { run } from '../../system/run-tool.ts';
import { mmdebstrap } from '../base/mmdebstrap.ts';
import { packTree } from '../store/pack-tree.ts';
import { type CpioEntry, cpio } from './cpio.ts';
import { initramfsInit, runtimeInit } from './guest-init.ts';
import { EARLY_MODULES, HARDWARE_ONLY, LATE_MODULES, loadOrder } from './modules.ts';
import { buildRuntimeTree } from './runtime-tree.ts';

const PACKAGES = {
  debian: ['linux-image-amd64'],
  ubuntu: ['linux-image-generic'],
} as const;

const TOOLS = ['busybox-static', 'tini', 'perl-base', 'e2fsprogs', 'libstdc++6', 'libgcc-s1', 'libc6', 'libcrypt1'];

/** File names inside the layer */
export const KERNEL_FILES = { kernel: 'vmlinuz', initrd: 'initrd', tree: 'tree.tar' } as const;

export interface KernelSource {
  distribution: 'debian' | 'ubuntu';
  suite: string;
  /** Lines of a sources.list */
  sources: string[];
}

/** What goes into the layer's key besides the source: a change of the scripts makes a new layer. */
export function kernelRecipe(): unknown {
  return {
    version: 2,
    init: initramfsInit(EARLY_MODULES),
    runtime: runtimeInit(LATE_MODULES),
    TOOLS,
    PACKAGES,
    HARDWARE_ONLY,
  };
}

/** Of the packages: what the kernel, the initramfs and the runtime are made of */
const WANTED = [
  './boot',
  './lib',
  './lib64',
  './usr/lib',
  './bin/busybox',
  './usr/bin/busybox',
  './usr/bin/tini-static',
  './usr/bin/perl',
  './sbin/resize2fs',
  './usr/sbin/resize2fs',
];

interface FillOptions {
  signal?: AbortSignal | undefined;
  onLine?: (line: string) => void;
}

/** Fills `dir` with `KERNEL_FILES`. Returns the kernel's version. */
export async function fillKernel(dir: string, source: KernelSource, options: FillOptions): Promise<string> {
  const { signal } = options;
  const work = join(dir, 'work');
  const tree = join(dir, 'tree');
  await unpackPackages(dir, work, source, options);
  const version = await onlyKernel(work);
  const modules = join(await modulesFolder(work), version);
  for (const folder of HARDWARE_ONLY) await rm(join(modules, 'kernel', folder), { recursive: true, force: true });
  await unpackModules(modules);
  await run('depmod', ['-b', work, version], { signal });
  await writeFile(join(dir, KERNEL_FILES.initrd), await initramfs(work, modules));
  await rename(join(work, 'boot', `vmlinuz-${version}`), join(dir, KERNEL_FILES.kernel));
  await buildRuntimeTree(work, tree, version);
  await packTree(tree, join(dir, KERNEL_FILES.tree), signal);
  await rm(work, { recursive: true });
  await rm(tree, { recursive: true });
  return version;
}

async function unpackPackages(dir: string, work: string, source: KernelSource, options: FillOptions): Promise<void> {
  await mkdir(work);
  const tar = join(dir, 'all.tar');
  const include = [...PACKAGES[source.distribution], ...TOOLS];
  await mmdebstrap({ ...source, variant: 'extract', include, target: tar }, options);
  const members = new Set((await run('tar', ['-tf', tar])).split('\n').map((name) => name.replace(/\/$/, '')));
  const wanted = WANTED.filter((name) => members.has(name));
  await run('tar', ['-xf', tar, '-C', work, '--no-same-owner', ...wanted], { signal: options.signal });
  await rm(tar);
}

/** Packages of Debian 13 have their modules below /usr; `depmod` looks in either place, by its own release. */
export async function modulesFolder(work: string): Promise<string> {
  const [folder, merged] = [join(work, 'lib/modules'), join(work, 'usr/lib/modules')];
  if (existsSync(folder)) return folder;
  await mkdir(join(work, 'lib'), { recursive: true });
  await rename(merged, folder);
  await symlink('../../lib/modules', merged);
  return folder;
}

async function onlyKernel(work: string): Promise<string> {
  const found = (await readdir(join(work, 'boot'))).filter((name) => name.startsWith('vmlinuz-')).toSorted();
  const last = found.at(-1);
  if (last === undefined)
    throw new SbxError('image-source', 'the kernel package contains no kernel', {
      hint: 'check the APT sources of the host',
    });
  return last.slice('vmlinuz-'.length);
}

/** Newer releases compress their modules; busybox loads plain ones only. */
async function unpackModules(modules: string): Promise<void> {
  const names = await readdir(modules, { recursive: true });
  const packed = names.filter((name) => /\.ko\.(xz|zst)$/.test(name)).map((name) => join(modules, name));
  for (let at = 0; at < packed.length; at += 200) {
    const batch = packed.slice(at, at + 200);
    const xz = batch.filter((name) => name.endsWith('.xz'));
    const zst = batch.filter((name) => name.endsWith('.zst'));
    if (xz.length > 0) await run('xz', ['-d', ...xz]);
    if (zst.length > 0) await run('zstd', ['-d', '-q', '--rm', ...zst]);
  }
}

async function initramfs(work: string, modules: string): Promise<Buffer> {
  const order = loadOrder(await readFile(join(modules, 'modules.dep'), 'utf8'), EARLY_MODULES);
  const names = order.map((file) => file.split('/').at(-1) ?? file);
  const files = await Promise.all(
    order.map(
      async (file, index): Promise<CpioEntry> => ({
        path: `modules/${names[index]}`,
        mode: 0o644,
        type: 'file',
        content: await readFile(join(modules, file)),
      }),
    ),
  );
  const busybox = await readFile(join(work, 'bin/busybox')).catch(() => readFile(join(work, 'usr/bin/busybox')));
  return cpio([
    ...['bin', 'dev', 'modules', 'proc', 'root', 'sys'].map((path): CpioEntry => ({ path, mode: 0o755, type: 'dir' })),
    { path: 'init', mode: 0o755, type: 'file', content: Buffer.from(initramfsInit(names)) },
    { path: 'bin/busybox', mode: 0o755, type: 'file', content: busybox },
    ...files,
  ]);
}
