/** Programs that the tests run in a guest: they go in by a tar, past the workspace. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { must, sbx } from '../harness.ts';

const FOLDER = fileURLToPath(new URL('../guest', import.meta.url));

/** Where they are in the guest: on its own disk */
export const PROGRAMS = '/var/tmp/programs';

export async function bringPrograms(cwd: string): Promise<void> {
  const input = execFileSync('tar', ['cf', '-', '-C', FOLDER, '.']);
  const unpack = `mkdir -p ${PROGRAMS} && tar xf - --no-same-owner -C ${PROGRAMS}`;
  await must(['exec', '-i', '--', 'sh', '-c', unpack], { cwd, input });
}

export const programText = (name: string) => readFileSync(`${FOLDER}/${name}`, 'utf8');

/** Runs a script; its output, or an error with everything it said. */
export async function runInside(cwd: string, script: string, input: string | Buffer = ''): Promise<string> {
  const { code, stdout, stderr } = await sbx(['exec', '-i', '--', 'sh', '-c', script], { cwd, input });
  if (code !== 0) throw new Error(`${script} → ${code}\n${stdout.slice(-4000)}\n${stderr.slice(-4000)}`);
  return stdout;
}
