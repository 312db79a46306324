/** The environment and the folder of a command inside, as its flags and the caller's own say. */
import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, posix, relative, resolve } from 'node:path';
import { errnoOf, SbxError } from '../../../errors.ts';
import { parseEnvFile } from './env-file.ts';

export interface EnvironmentFlags {
  env?: readonly string[];
  envFile?: readonly string[];
}

/**
 * Later files win over earlier ones, and `-e` over files. `NAME` without a value takes that of `host`, and is left out where it has none.
 * @throws SbxError `usage`
 */
export function environmentOf(
  { env = [], envFile = [] }: EnvironmentFlags,
  { cwd, host }: { cwd: string; host: NodeJS.ProcessEnv },
): Record<string, string> {
  const files = envFile.map((file) => Object.entries(readEnvFile(resolve(cwd, file), cwd)));
  return Object.fromEntries([...files.flat(), ...env.flatMap((entry) => parseEntry(entry, host))]);
}

function readEnvFile(file: string, cwd: string): Record<string, string> {
  let text: string;
  try {
    refuseLink(file, cwd);
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof SbxError) throw cause;
    throw new SbxError('usage', `cannot read --env-file ${file}`, {
      why: errnoOf(cause) === 'ENOENT' ? 'it does not exist' : `${errnoOf(cause) ?? cause}`,
      hint: 'name a file that you can read',
      cause,
    });
  }
  return parseEnvFile(text, file);
}

/** A sandbox can write below the current folder: a link there could lead to what is hidden from it. */
function refuseLink(file: string, cwd: string): void {
  const real = realpathSync.native(file);
  const named = join(realpathSync.native(dirname(file)), basename(file));
  const here = realpathSync.native(cwd);
  const isBelow = resolve(file).startsWith(`${resolve(cwd)}/`) || named.startsWith(`${here}/`);
  if (isBelow && real !== join(here, relative(resolve(cwd), resolve(file))))
    throw new SbxError('usage', `--env-file ${file} is behind a link`, {
      why: 'a sandbox that writes to this folder could have made it lead to another file',
      hint: `if it is yours, name the file itself: ${real}`,
    });
}

function parseEntry(entry: string, host: NodeJS.ProcessEnv): [string, string][] {
  const at = entry.indexOf('=');
  if (at === 0 || entry === '')
    throw new SbxError('usage', `invalid --env: ${entry}`, {
      why: 'it must be NAME=VALUE, or NAME for the value of this host',
      hint: 'write for example -e DEBUG=1',
    });
  if (at > 0) return [[entry.slice(0, at), entry.slice(at + 1)]];
  const value = host[entry];
  return value === undefined ? [] : [[entry, value]];
}

/** `workdir` is relative to the workspace. Default: the caller's folder if it is in the workspace, which has the same path inside; else the workspace. */
export function folderInside(workspace: string, cwd: string, workdir: string | undefined): string {
  if (workdir !== undefined) return posix.resolve(workspace, workdir);
  const here = realpathSync.native(cwd);
  return here.startsWith(`${workspace}/`) ? here : workspace;
}
