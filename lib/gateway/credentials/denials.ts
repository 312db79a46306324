/** What a guest is told when a credential is not used, and what is written down. Pure. */
import type { Denied } from '../http/inspector.ts';
import type { Found } from './find-placeholders.ts';

export interface Misuse {
  found: Found;
  host: string;
  /** Where it belongs; undefined: to another sandbox */
  hosts: string[] | undefined;
  secure: boolean;
}

export function denialOfMisuse({ found, host, hosts, secure }: Misuse): Denied {
  const { placeholder, place } = found;
  if (hosts === undefined)
    return denial(
      'the stand-in of another sandbox',
      `the stand-in in ${place} belongs to another sandbox. It is no key, and opens nothing here`,
    );
  const { label } = placeholder;
  if (!hosts.includes(host))
    return denial(
      `the stand-in of ${label} to another host`,
      `the value of ${label} is only a stand-in for a secret of the host: it is for ${hosts.join(', ') || 'no host any more'}, and it was on its way to ${host}.\nIf it belongs there as well, add a [[credentials]] entry for that host to sandbox.toml and run: sbx apply`,
    );
  if (!secure)
    return denial(
      `the stand-in of ${label} without TLS`,
      `the value of ${label} is only a stand-in for a secret of the host, which goes over https:// only`,
    );
  return denial(
    `the stand-in of ${label} in ${place}`,
    `the value of ${label} is only a stand-in for a secret of the host, which is put into a header for logins. It stood in ${place}.\nSend it as the API's own header, such as Authorization`,
  );
}

export function denialWithoutTls(host: string): Denied {
  return denial(
    'plain HTTP to a host with a credential',
    `${host} has a credential, so it is reached by https:// only`,
  );
}

export function denialOfKeyInQuery(parameter: string): Denied {
  return denial(
    `a key in the query: ${parameter}`,
    `the parameter "${parameter}" of the address holds a key. This host has a credential, which is put into a header; leave the parameter out`,
  );
}

export function denialOfUnreadable(secret: string, why: string): Denied {
  return {
    denial: {
      status: 502,
      text: `sbx: the secret "${secret}" of the host could not be read: ${why}. Nothing was sent.`,
      reason: `the secret ${secret} could not be read`,
    },
  };
}

function denial(reason: string, text: string): Denied {
  return { denial: { status: 403, text: `sbx: refused: ${text}.\nNothing was sent.`, reason } };
}
