/** Resolves `[[credentials]]` after templates were merged, and rejects contradictions. Pure. */
import type { SbxError } from '../../errors.ts';
import type { CredentialSpec, Source } from '../../spec/spec.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

/** Headers that frame a request or belong to one connection cannot carry a secret. */
const NO_CARRIER = new Set([
  'host',
  'connection',
  'content-length',
  'content-encoding',
  'content-type',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'proxy-authorization',
  'proxy-connection',
  'keep-alive',
  'accept-encoding',
]);

/** @throws SbxError `config-invalid`, with the place. */
export function credentialsOf({ config, sources }: SandboxInput): CredentialSpec[] {
  const found: CredentialSpec[] = [];
  for (const [index, entry] of (config.credentials ?? []).entries()) {
    const at = `credentials[${index}]`;
    const header = (entry.header ?? 'authorization').toLowerCase();
    if (NO_CARRIER.has(header))
      throw problem(sources[`${at}.header`], `credentials: the header ${header} cannot carry a secret`, {
        hint: 'write "authorization", "x-api-key" or the header that the API documents',
      });
    const { secret, env, format = 'Bearer {}' } = entry;
    if (config.env?.[env] !== undefined) throw secondValue(env, sources[`${at}.env`], sources[`env.${env}`]);
    const one: CredentialSpec = {
      secret,
      env,
      host: entry.host.toLowerCase().replace(/\.(?=$|:)/, ''),
      header,
      format,
      source: sources[at] ?? 'default',
    };
    refuseSecondSecret(found, one, sources[`${at}.secret`]);
    if (!found.some((other) => isSame(other, one))) found.push(one);
  }
  return found;
}

/** A value in `[env]` would be visible in the sandbox. */
function secondValue(name: string, source: Source | undefined, other: Source | undefined): SbxError {
  return problem(source, `${name} is set in [env] and by a credential`, {
    why: `a value in [env] is visible in the sandbox, a secret is not${placeOf(other)}`,
    hint: 'remove one of the two',
  });
}

/** One variable holds one placeholder, which may be for several hosts. */
function refuseSecondSecret(known: CredentialSpec[], one: CredentialSpec, source: Source | undefined): void {
  const other = known.find(({ env }) => env === one.env);
  if (other === undefined || other.secret === one.secret) return;
  throw problem(source, `${one.env} has two secrets: ${other.secret} and ${one.secret}`, {
    why: `one variable holds one placeholder${placeOf(other.source)}`,
    hint: 'use a separate variable for each secret',
  });
}

function placeOf(source: Source | undefined): string {
  return source === undefined || source === 'default' ? '' : ` (${source.file}:${source.line})`;
}

function isSame({ source: _a, ...one }: CredentialSpec, { source: _b, ...other }: CredentialSpec): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
