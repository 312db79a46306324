/** `sbx version`: shows the version of sbx, of its build and of Node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from '../../command/command.ts';

export async function version({ context, view }: Run): Promise<number> {
  const build = JSON.parse(readFileSync(join(context.distDir, 'build.json'), 'utf8')) as {
    version: string;
    build: string;
  };
  const result = { ...build, node: process.version };
  view.result(result, `sbx ${build.version}, build ${build.build.slice(0, 12)}, Node ${process.version}`);
  return 0;
}
