/** Opens the egress proxy of a bake, for the hosts of the presets only. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Gateway } from '../../../gateway/gateway.ts';
import { ensurePrivateDir } from '../../../paths.ts';

export interface BakeEgress {
  /** Folder of the bake, which holds its audit log */
  dir: string;
  socketPath: string;
  /** Name of the bake: the rule in the audit log */
  name: string;
  hosts: { host: string; port: number }[];
}

/** @returns a function that closes it */
export async function openBakeEgress(
  gateway: Gateway,
  { dir, socketPath, name, hosts }: BakeEgress,
): Promise<() => Promise<void>> {
  const id = `bake-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`;
  const allow = hosts.map(({ host, port }) => ({ pattern: `${host}:${port}`, trusted: true, text: name }));
  ensurePrivateDir(join(dir, 'egress'));
  await gateway.open(id, { socketPath, auditPath: join(dir, 'audit.jsonl'), policy: { allow, deny: [] } });
  return () => gateway.close(id);
}
