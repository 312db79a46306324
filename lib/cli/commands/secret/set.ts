/** `sbx secret set`: sends a value to the daemon without showing it. */
import type { SecretRequest } from '../../../api/contract.ts';
import { SbxError } from '../../../errors.ts';
import { splitWords } from '../../../secrets/split-words.ts';
import { parseDuration } from '../../../spec/units.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { readHidden } from '../../terminal/hidden-input.ts';
import { scopeOf, scopeText } from './secret-scope.ts';

interface Flags {
  fromEnv?: string;
  command?: string;
  cache: string;
  sandbox?: string;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export async function set({ context, flags, args, cwd, view }: Run<Flags, [string]>): Promise<number> {
  const [name] = args;
  if (!NAME.test(name))
    throw new SbxError('usage', 'invalid secret name', {
      why: 'a name is 1–64 letters, digits, dots, hyphens and underscores, and begins with a letter or digit',
      hint: 'write `sbx secret set NAME`; the value is asked for, or read from stdin',
    });
  const store = context.process.env['SBX_SECRET_STORE'];
  const request: SecretRequest = {
    name,
    scope: await scopeOf(flags, cwd),
    ...(store === undefined ? {} : { store }),
    ...(await sourceOf(name, flags, context.process)),
  };
  const { info, warning } = await (await daemonOf(context)).setSecret(request);
  const where = info.store === 'none' ? 'printed by its command on demand' : `in the ${info.store}`;
  const text = `${name} is set (${where}; scope: ${scopeText(info.scope)})`;
  view.result({ ...info, ...(warning === undefined ? {} : { warning }) }, text);
  if (warning !== undefined && !view.json) context.process.stderr.write(`sbx: ${warning}\n`);
  return 0;
}

async function sourceOf(
  name: string,
  flags: Flags,
  process: NodeJS.Process,
): Promise<Pick<SecretRequest, 'source' | 'value'>> {
  const { fromEnv, command } = flags;
  if (fromEnv !== undefined && command !== undefined)
    throw new SbxError('usage', '--from-env and --command are mutually exclusive', {
      why: 'a secret has one source',
      hint: 'remove one of them',
    });
  if (command !== undefined)
    return { source: { kind: 'command', argv: splitWords(command), cacheSeconds: cacheOf(flags.cache) } };
  if (fromEnv === undefined) {
    const value = await readHidden(process, `value of ${name}: `);
    if (value !== '') return { source: { kind: 'value' }, value };
    throw new SbxError('usage', `no value for ${name}`, {
      why: 'the input was empty',
      hint: 'type it, pipe it in, or use --from-env or --command',
    });
  }
  const value = process.env[fromEnv];
  if (value === undefined || value === '')
    throw new SbxError('usage', `the variable ${fromEnv} is not set`, {
      why: 'it is missing or empty in the environment of this process',
      hint: 'export it, then try again',
    });
  return { source: { kind: 'value' }, value };
}

function cacheOf(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw new SbxError('usage', `invalid duration: ${text}`, {
    why: '--cache takes a number and s, m, h or d',
    hint: 'write "5m", "1h", or "0" to disable the cache',
  });
}
