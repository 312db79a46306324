/** Turns tars into an ext4 image, without root and with the owners in the tars. */
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../system/run-tool.ts';
import { pathWithTools } from '../../system/tool-path.ts';

export interface FilesystemRequest {
  /** Unpacked one over the other */
  tars: string[];
  target: string;
  sizeBytes: number;
  label: string;
  /** Read-only disks need no journal */
  journal: boolean;
  signal?: AbortSignal | undefined;
}

/** Unpacks below fakeroot, which remembers owners and device nodes, and hands the folder to mke2fs in the same session. */
export async function makeExt4(request: FilesystemRequest): Promise<void> {
  const work = await mkdtemp(join(dirname(request.target), 'fs-'));
  const root = join(work, 'root');
  await mkdir(root);
  try {
    await writeFile(request.target, '', { mode: 0o600 });
    await truncate(request.target, request.sizeBytes);
    const features = request.journal ? [] : ['-O', '^has_journal'];
    const mke2fs = [
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext4',
      '-L',
      request.label,
      '-m',
      '0',
      '-E',
      'lazy_itable_init=1,lazy_journal_init=1,nodiscard',
      ...features,
      '-d',
      root,
      request.target,
    ];
    // One shell below one fakeroot: the owners live in that session only. Every value is an argument, never part of the script.
    const script =
      'root=$1; shift; while [ "$1" != -- ]; do tar -xf "$1" -C "$root" --numeric-owner || exit 1; shift; done; shift; exec "$@"';
    await run('fakeroot', ['--', 'sh', '-c', script, 'sh', root, ...request.tars, '--', ...mke2fs], {
      signal: request.signal,
      env: { ...process.env, PATH: pathWithTools(process.env['PATH']) },
    });
  } finally {
    await run('chmod', ['-R', 'u+rwX', work]).catch(() => {});
    await rm(work, { recursive: true, force: true });
  }
}
