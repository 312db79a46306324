/** Runs mmdebstrap without root: a tar of an installed (or only unpacked) Debian or Ubuntu system. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../system/run-tool.ts';

export interface MmdebstrapRequest {
  suite: string;
  /** Lines of a sources.list */
  sources: string[];
  /** `extract`: packages are unpacked, nothing of them runs */
  variant: 'minbase' | 'extract';
  include: string[];
  /** The tar to write */
  target: string;
}

export async function mmdebstrap(
  request: MmdebstrapRequest,
  options: { signal?: AbortSignal | undefined; onLine?: (line: string) => void } = {},
): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'sbx-mm-'));
  try {
    const list = join(work, 'sources.list');
    await writeFile(list, `${request.sources.join('\n')}\n`);
    const args = [
      // Root itself may use chroot; other users get the same in a user namespace.
      `--mode=${process.getuid?.() === 0 ? 'root' : 'unshare'}`,
      `--variant=${request.variant}`,
      `--include=${request.include.join(',')}`,
      '--aptopt=Acquire::Retries "3"',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      '--format=tar',
      request.suite,
      request.target,
      list,
    ];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // It removes its folder (hundreds of MB) only when its children get the signal, too.
    await run('mmdebstrap', args, { ...options, env, group: true });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
