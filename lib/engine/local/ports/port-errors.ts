/** Errors of ports, and how two rules are compared for them. */
import { SbxError, summaryOf } from '../../../errors.ts';
import type { PortRule } from '../../../state/port-book.ts';
import { holderOf } from './holder.ts';

interface Held {
  rule: PortRule;
  /** Name of the sandbox of this host that has the port */
  owner: string | undefined;
}

/** Of a port that another sandbox has, the process would be this one. */
export async function explained(error: unknown, { rule, owner }: Held): Promise<SbxError> {
  if (!(error instanceof SbxError)) return new SbxError('internal', summaryOf(error), { cause: error });
  if (error.code !== 'port-taken' || rule.host === 0) return error;
  const { message, hint = '' } = error;
  if (owner !== undefined)
    return new SbxError('port-taken', message, {
      why: `it leads to the sandbox ${owner} already`,
      hint: 'choose another port, or 0 for a free one: `sbx ports` lists those that are open',
      cause: error,
    });
  return new SbxError('port-taken', message, { why: `it is held by ${await holderOf(rule.host)}`, hint, cause: error });
}

export function textOf({ message, why }: SbxError): string {
  return why === undefined ? message : `${message}: ${why}`;
}

/** Without an address, any is meant. */
export function isSame(one: PortRule, rule: PortRule): boolean {
  const isThere = one.address === undefined || one.address === rule.address;
  return one.guest === rule.guest && one.host === rule.host && isThere;
}

export function notPublished(rule: PortRule, name: string, spec: readonly PortRule[]): SbxError {
  const shown = `${rule.address === undefined ? '' : `${rule.address}:`}${rule.host}:${rule.guest}`;
  const isOfFile = spec.some((one) => isSame(rule, one));
  return new SbxError('not-found', `${shown} was not published for ${name}`, {
    hint: isOfFile ? 'it is in [[ports]]: remove it there and run `sbx apply`' : `\`sbx ports ${name}\` lists them`,
  });
}
