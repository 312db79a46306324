/** Ports beyond the spec: those that `sbx ports --publish` opened, and the free ports that were picked. A file in the instance's folder. */
import { readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import { type Home, instancePaths } from '../paths.ts';
import type { PortSpec } from '../spec/spec.ts';

/** A port without its place in a file: what tells two entries apart. */
export type PortRule = Omit<PortSpec, 'source'>;

export interface PortBook {
  /** Until they are taken back or the sandbox is removed */
  published: PortRule[];
  /** The port that was picked for a rule, by `portKey`: the next daemon uses it again, so that addresses stay valid */
  picked: Record<string, number>;
  /** Ports of the guest that are not asked about again */
  declined: number[];
}

/** A damaged file opens nothing. */
export function readPortBook(home: Home, id: string): PortBook {
  try {
    const value = JSON.parse(readFileSync(instancePaths(home, id).ports, 'utf8')) as PortBook & { version: number };
    const { version, published, picked, declined = [] } = value;
    if (version === 1 && Array.isArray(published) && published.every(isRule) && isTable(picked) && isNumbers(declined))
      return { published, picked, declined };
  } catch {
    // None was written.
  }
  return { published: [], picked: {}, declined: [] };
}

function isRule(one: PortRule | null): boolean {
  return typeof one?.guest === 'number' && typeof one.host === 'number';
}

function isNumbers(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'number');
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function writePortBook(home: Home, id: string, { published, picked, declined }: PortBook): void {
  const text = JSON.stringify({ version: 1, published, picked, declined });
  writeFileAtomic.sync(instancePaths(home, id).ports, text, { mode: 0o600 });
}

/** The same for two rules that open the same port of the host for the same port of the guest. */
export function portKey({ guest, host, address }: PortRule): string {
  return `${address ?? 'loopback'} ${host} ${guest}`;
}
