/** Reads and writes the hashes of the approved tools of a sandbox. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sync as writeFileAtomic } from 'write-file-atomic';
import { z } from 'zod';
import { errnoOf } from '../errors.ts';
import type { McpServer } from './config.ts';
import type { Pins } from './tools.ts';

const file = z.record(z.string(), z.strictObject({ program: z.string(), tools: z.record(z.string(), z.string()) }));

export type PinFile = z.infer<typeof file>;

/** @throws where the file is damaged: nothing counts as approved then. */
export function readPins(path: string): PinFile {
  try {
    return file.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return {};
    throw error;
  }
}

/** Undefined: this program was not approved yet. */
export function pinsOf(pins: PinFile, server: McpServer): Pins | undefined {
  const found = Object.hasOwn(pins, server.name) ? pins[server.name] : undefined;
  return found?.program === programOf(server) ? found.tools : undefined;
}

/** Approves these tools of a server, and no others. */
export function writePins(path: string, server: McpServer, tools: Pins): void {
  const pins = { ...readPins(path), [server.name]: { program: programOf(server), tools: { ...tools } } };
  writeFileAtomic(path, JSON.stringify(pins), { mode: 0o600 });
}

/** Approves these tools of a server that has approved ones. @throws where it has none. */
export function acceptTools(path: string, name: string, tools: Pins): void {
  const pins = readPins(path);
  const found = Object.hasOwn(pins, name) ? pins[name] : undefined;
  if (found === undefined) throw new Error(`${name} has no approved tools`);
  writeFileAtomic(path, JSON.stringify({ ...pins, [name]: { ...found, tools: { ...tools } } }), { mode: 0o600 });
}

/** Another command or other folders are approved by `apply`: their tools are a new beginning. */
function programOf({ command, folders }: Pick<McpServer, 'command' | 'folders'>): string {
  return createHash('sha256')
    .update(JSON.stringify([command, folders]))
    .digest('hex');
}
