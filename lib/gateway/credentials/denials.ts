/** Denials of requests that misuse a credential: text for the guest, reason for the audit log. Pure. */
import type { Denied } from '../http/inspector.ts';
import type { Found } from './find-placeholders.ts';

export interface Misuse {
  found: Found;
  host: string;
  /** Hosts of the placeholder; undefined: it belongs to another sandbox */
  hosts: string[] | undefined;
  secure: boolean;
}

export function denialOfMisuse({ found, host, hosts, secure }: Misuse): Denied {
  const { placeholder, place } = found;
  if (hosts === undefined)
    return denial(
      'placeholder of another sandbox',
      `the placeholder in ${place} belongs to another sandbox and cannot be used here`,
    );
  const { label } = placeholder;
  if (!hosts.includes(host))
    return denial(
      `placeholder of ${label} sent to another host`,
      `the value of ${label} is a placeholder for a secret of the host. It is valid for ${hosts.join(', ') || 'no host any more'}, and the request was for ${host}.\nIf the secret is also for that host, add a [[credentials]] entry for it to sandbox.toml and run: sbx apply`,
    );
  if (!secure)
    return denial(
      `placeholder of ${label} without TLS`,
      `the value of ${label} is a placeholder for a secret of the host, which is sent over https:// only`,
    );
  return denial(
    `placeholder of ${label} in ${place}`,
    `the value of ${label} is a placeholder for a secret of the host, which is injected into login headers only. It was found in ${place}.\nSend it in the API's own login header, such as Authorization`,
  );
}

export function denialWithoutTls(host: string): Denied {
  return denial(
    'plain HTTP to a host with a credential',
    `${host} has a credential, so it is reachable over https:// only`,
  );
}

export function denialOfKeyInQuery(parameter: string): Denied {
  return denial(
    `key in the query: ${parameter}`,
    `the query parameter "${parameter}" contains a key. This host has a credential, which is injected into a header; remove the parameter`,
  );
}

export function denialOfCondition(header: string): Denied {
  return denial(
    `condition on a change: ${header}`,
    `the header ${header} makes the response depend on what it contains. This host has a credential, whose value a response must not show piece by piece; send the request without the header`,
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
  return { denial: { status: 403, text: `sbx: denied: ${text}.\nNothing was sent.`, reason } };
}
