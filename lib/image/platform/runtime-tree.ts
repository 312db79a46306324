/** Builds the tree of /opt/sbx without Node and the agent: tools, libraries, modules, the init. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../system/run-tool.ts';
import { runtimeInit } from './guest-init.ts';
import { LATE_MODULES } from './modules.ts';

/** Path of a tool in the tree → possible paths in the packages */
const TOOLS = {
  'bin/busybox': ['bin/busybox', 'usr/bin/busybox'],
  'bin/tini': ['usr/bin/tini-static'],
  'libexec/perl': ['usr/bin/perl'],
  'libexec/resize2fs': ['sbin/resize2fs', 'usr/sbin/resize2fs'],
};

const LIBRARIES = [
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
];

/** Copies from the unpacked packages in `work`, and moves their modules. */
export async function buildRuntimeTree(work: string, tree: string, version: string): Promise<void> {
  for (const folder of ['bin', 'lib', 'libexec', 'modules', 'agent'])
    await mkdir(join(tree, folder), { recursive: true });
  const copy = (from: string[], to: string) =>
    copyFirst(
      from.map((name) => join(work, name)),
      join(tree, to),
    );
  for (const [to, from] of Object.entries(TOOLS)) await copy(from, to);
  const loader = [
    ...libraryPaths('ld-linux-x86-64.so.2'),
    'lib64/ld-linux-x86-64.so.2',
    'usr/lib64/ld-linux-x86-64.so.2',
  ];
  await copy(loader, 'lib/ld.so');
  for (const name of LIBRARIES) await copy(libraryPaths(name), `lib/${name}`);
  await rename(join(work, 'lib/modules', version), join(tree, 'modules', version));
  await writeFile(join(tree, 'init'), runtimeInit(LATE_MODULES), { mode: 0o755 });
}

function libraryPaths(library: string): string[] {
  const machine = 'x86_64-linux-gnu';
  return [`lib/${machine}/${library}`, `usr/lib/${machine}/${library}`];
}

/** Copies the first file that exists. */
async function copyFirst(from: string[], to: string): Promise<void> {
  const script = 'for f in "$@"; do [ -e "$f" ] && exec cp -L "$f" "$0"; done; echo "missing: $*" >&2; exit 1';
  await run('sh', ['-c', script, to, ...from]);
}
