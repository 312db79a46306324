/** Names of the host's services: `<name>.host.sbx` leads to what `[[services]]` names, and nothing else does. Pure. */
import type { ServiceSpec, ServiceTarget } from '../../spec/spec.ts';
import type { PolicyRule } from './types.ts';

const DOMAIN = 'host.sbx';

/** Also of a name that no service has. */
export function isServiceName(host: string): boolean {
  return host === DOMAIN || host.endsWith(`.${DOMAIN}`);
}

/** `guestFolders`: folders that a guest may write; no socket is dialled that a link there leads to. */
export function serviceRule({ name, port, target, source }: ServiceSpec, guestFolders: string[]): PolicyRule {
  const pattern = `${name}.${DOMAIN}:${port}`;
  const place = source === 'default' ? {} : { file: source.file, line: source.line };
  const service = 'path' in target ? { ...target, guestFolders } : target;
  return { pattern, text: `${pattern} ([[services]], ${textOfTarget(target)})`, service, ...place };
}

function textOfTarget(target: ServiceTarget): string {
  if ('path' in target) return target.path;
  return `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}
