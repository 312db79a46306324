import { run } from '../../system/run-tool.ts';

/** A folder as a tar of root's: the same content gives the same bytes. */
export async function packTree(tree: string, target: string, signal: AbortSignal | undefined): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--mode=u+rwX,go+rX'];
  await run('tar', ['-cf', target, ...same, '-C', tree, '.'], { signal });
}
