/** Runs the merge of layers in a jail without a network: it sees the layers, and writes one file. */
import { writeFile } from 'node:fs/promises';
import { ISOLATED } from '../../system/isolated.ts';
import { run } from '../../system/run-tool.ts';
import type { MergeJob } from './merge-layers.ts';

export interface MergeRequest {
  /** Folder of the downloaded layers */
  blobs: string;
  /** Names in that folder, bottom first */
  layers: { name: string; compression: MergeJob['layers'][number]['compression'] }[];
  /** The tar to write */
  target: string;
  /** Folder of a Node */
  node: string;
  /** The bundle of `main.ts` */
  script: string;
  /** Bytes of all layers, unpacked */
  maxBytes: number;
  signal: AbortSignal | undefined;
}

const ENTRIES_MAX = 1_000_000;
const MEMORY_MAX = 1024 ** 3;
const HEAP_MIB = 700;

/** @throws SbxError `image-source` with the fault of the layer. */
export async function mergeInJail(request: MergeRequest): Promise<void> {
  await writeFile(request.target, '', { mode: 0o600 });
  await run('bwrap', mergeCommand(request), { signal: request.signal });
}

export function mergeCommand({ blobs, layers, target, node, script, maxBytes }: MergeRequest): string[] {
  const job: MergeJob = {
    layers: layers.map(({ name, compression }) => ({ path: `/blobs/${name}`, compression })),
    target: '/merged.tar',
    limits: { bytes: maxBytes, entries: ENTRIES_MAX, memory: MEMORY_MAX },
  };
  return [
    ...ISOLATED,
    '--die-with-parent',
    ...['--ro-bind', node, '/node', '--ro-bind', script, '/merge.mjs', '--ro-bind', blobs, '/blobs'],
    ...['--bind', target, '/merged.tar', '--remount-ro', '/', '--'],
    ...['/node/bin/node', `--max-old-space-size=${HEAP_MIB}`, '/merge.mjs', JSON.stringify(job)],
  ];
}
