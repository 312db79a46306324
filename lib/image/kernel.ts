/** The kernel layer: Debian's generic kernel, an initramfs, and the tree that the runtime disk is made of. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SbxError } from '../errors.ts';
import { run } from '../process.ts';
import { type CpioEntry, cpio } from './cpio.ts';
import { initramfsInit, runtimeInit } from './guest-init.ts';
import { mmdebstrap } from './mmdebstrap.ts';
import { EARLY_MODULES, HARDWARE_ONLY, LATE_MODULES, loadOrder } from './modules.ts';

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

/** Fills `dir` with `KERNEL_FILES`. Returns the kernel's version. */
export async function fillKernel(
  dir: string,
  source: KernelSource,
  options: { signal?: AbortSignal | undefined; onLine?: (line: string) => void },
): Promise<string> {
  const work = join(dir, 'work');
  await mkdir(work);
  const tar = join(dir, 'all.tar');
  await mmdebstrap(
    { ...source, variant: 'extract', include: [...PACKAGES[source.distribution], ...TOOLS], target: tar },
    options,
  );
  const wanted = [
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
  const members = new Set((await run('tar', ['-tf', tar])).split('\n').map((name) => name.replace(/\/$/, '')));
  const { signal } = options;
  await run('tar', ['-xf', tar, '-C', work, '--no-same-owner', ...wanted.filter((name) => members.has(name))], {
    signal,
  });
  await rm(tar);
  const version = await onlyKernel(work);
  const modules = join(work, 'lib/modules', version);
  for (const folder of HARDWARE_ONLY) await rm(join(modules, 'kernel', folder), { recursive: true, force: true });
  await unpackModules(modules);
  await run('depmod', ['-b', work, version], { signal });
  await writeFile(join(dir, KERNEL_FILES.initrd), await initramfs(work, modules));
  await rename(join(work, 'boot', `vmlinuz-${version}`), join(dir, KERNEL_FILES.kernel));
  await buildTree(work, join(dir, 'tree'), version);
  await run(
    'tar',
    [
      '-cf',
      join(dir, KERNEL_FILES.tree),
      '--sort=name',
      '--mode=u+rwX,go+rX',
      '--mtime=@0',
      '--owner=0',
      '--group=0',
      '-C',
      join(dir, 'tree'),
      '.',
    ],
    { signal },
  );
  await rm(work, { recursive: true });
  await rm(join(dir, 'tree'), { recursive: true });
  return version;
}

async function onlyKernel(work: string): Promise<string> {
  const found = (await readdir(join(work, 'boot'))).filter((name) => name.startsWith('vmlinuz-')).toSorted();
  const last = found.at(-1);
  if (last === undefined)
    throw new SbxError('image-source', 'the kernel package holds no kernel', {
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

/** The layout of /opt/sbx without Node and the agent. */
async function buildTree(work: string, tree: string, version: string): Promise<void> {
  for (const folder of ['bin', 'lib', 'libexec', 'modules', 'agent'])
    await mkdir(join(tree, folder), { recursive: true });
  const copy = (from: string[], to: string) =>
    run('sh', [
      '-c',
      'for f in "$@"; do [ -e "$f" ] && exec cp -L "$f" "$0"; done; echo "missing: $*" >&2; exit 1',
      join(tree, to),
      ...from.map((name) => join(work, name)),
    ]);
  await copy(['bin/busybox', 'usr/bin/busybox'], 'bin/busybox');
  await copy(['usr/bin/tini-static'], 'bin/tini');
  await copy(['usr/bin/perl'], 'libexec/perl');
  await copy(['sbin/resize2fs', 'usr/sbin/resize2fs'], 'libexec/resize2fs');
  const machine = 'x86_64-linux-gnu';
  const find = (name: string) => [`lib/${machine}/${name}`, `usr/lib/${machine}/${name}`];
  await copy(
    [...find('ld-linux-x86-64.so.2'), 'lib64/ld-linux-x86-64.so.2', 'usr/lib64/ld-linux-x86-64.so.2'],
    'lib/ld.so',
  );
  for (const name of [
    'libc.so.6',
    'libm.so.6',
    'libdl.so.2',
    'libpthread.so.0',
    'libutil.so.1',
    'libcrypt.so.1',
    'libstdc++.so.6',
    'libgcc_s.so.1',
    'libe2p.so.2',
    'libext2fs.so.2',
    'libcom_err.so.2',
    'libblkid.so.1',
    'libuuid.so.1',
  ]) {
    await copy(find(name), `lib/${name}`);
  }
  await rename(join(work, 'lib/modules', version), join(tree, 'modules', version));
  await writeFile(join(tree, 'init'), runtimeInit(LATE_MODULES), { mode: 0o755 });
}
