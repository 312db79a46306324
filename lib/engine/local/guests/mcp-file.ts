/** Merges the endpoint of the MCP servers into the agent's own file in a guest. The file may be anything: the agent writes it. */
import { rmSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { parse as parseForPatch, patch } from '@decimalturn/toml-patch';
import { MCP_URL } from '../../../gateway/policy/services.ts';
import type { GuestConnection } from '../../../guest/client/connection.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { within } from '../../../system/deadline.ts';

type Table = Record<string, unknown>;

interface Merging {
  spec: SandboxSpec;
  /** File for the reason why the agent's file is not written */
  note: string;
  signal: AbortSignal;
}

const FILE_MAX = 1 << 20;
const WRITE_MS = 20_000;
// As the user of the agent: a link that it made leads no further than it could go itself.
const READ = `[ ! -e "$1" ] || head -c ${FILE_MAX + 1} -- "$1"`;
const WRITE = 'umask 077; mkdir -p -- "$(dirname -- "$1")" && cat > "$1.sbx-new" && mv -f -- "$1.sbx-new" "$1"';

/** Does nothing without MCP servers. A file that cannot be merged is left as it is, and `note` says why. */
export async function writeMcpFile(
  guest: Pick<GuestConnection, 'exec'>,
  { spec, note, signal }: Merging,
): Promise<void> {
  const { mcpFile, mcpFormat = 'json', mcpEntry } = spec.agent;
  rmSync(note, { force: true });
  if ((spec.mcp ?? []).length === 0 || mcpFile === undefined || mcpEntry === undefined) return;
  using limit = within(WRITE_MS, signal);
  try {
    const current = await inGuest(guest, { script: READ, path: mcpFile, signal: limit });
    if (current.length > FILE_MAX) throw new Error('it is too large');
    const merged = mergeEntry(current, mcpEntry.replaceAll('{url}', MCP_URL), mcpFormat);
    if (merged !== current) await inGuest(guest, { script: WRITE, path: mcpFile, signal: limit, input: merged });
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    writeFileSync(note, `${mcpFile} could not be written: ${why.slice(0, 300)}`, { mode: 0o600 });
  }
}

/** What is there stays, but for the keys of the entry. @throws where the file cannot be read as its format. Pure. */
export function mergeEntry(current: string, entry: string, format: 'json' | 'toml'): string {
  if (format === 'toml') {
    const before = parseForPatch(current) as Table;
    const after = merge(before, parseForPatch(entry) as Table);
    return isDeepStrictEqual(before, after) ? current : patch(current, after);
  }
  const before = current.trim() === '' ? {} : (JSON.parse(current) as unknown);
  if (!isTable(before)) throw new Error('it is not an object');
  const after = merge(before, JSON.parse(entry) as Table);
  return isDeepStrictEqual(before, after) ? current : `${JSON.stringify(after, null, 2)}\n`;
}

/** Own keys only: `__proto__` of a hostile file is a key like any other. */
function merge(into: Table, from: Table): Table {
  const merged = new Map(Object.entries(into));
  for (const [key, value] of Object.entries(from)) {
    const known = merged.get(key);
    merged.set(key, isTable(value) && isTable(known) ? merge(known, value) : value);
  }
  return Object.fromEntries(merged);
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function inGuest(
  guest: Pick<GuestConnection, 'exec'>,
  { script, path, signal, input }: { script: string; path: string; signal: AbortSignal; input?: string },
): Promise<string> {
  const inHome = path.startsWith('~/') ? `cd && set -- "$PWD/$2"` : ':';
  const argv = ['/bin/sh', '-c', `${inHome}; ${script}`, 'sbx', path, path.slice(2)];
  await using child = guest.exec({ argv, stdin: input !== undefined });
  const onAbort = () => void child[Symbol.asyncDispose]();
  signal.addEventListener('abort', onAbort, { once: true });
  if (input !== undefined) child.stdin.end(input);
  const [{ code }, text, said] = await Promise.all([child.exit, textOf(child.stdout), textOf(child.stderr)]);
  signal.removeEventListener('abort', onAbort);
  if (code !== 0) throw new Error(said.trim().split('\n').at(-1) ?? `exit code ${code}`);
  return text;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= FILE_MAX + 1) chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
