/** Decides which tools of the servers the sandbox sees, and under which names. Pure. */
import { createHash } from 'node:crypto';

/** As a server describes it */
export type Tool = Record<string, unknown> & { name: string };

/** `changed`: its description is not the approved one. `new`: it came after the approval. `filtered`: `tools` leaves it out. `bad-name`: agents could not call it */
type ToolState = 'offered' | 'changed' | 'new' | 'filtered' | 'bad-name';

export interface ListedTool {
  server: string;
  tool: Tool;
  hash: string;
  state: ToolState;
  /** Name for the sandbox; undefined: it is withheld */
  name: string | undefined;
}

/** Hashes of the approved tools, by their names. Undefined: the server was never approved */
export type Pins = Readonly<Record<string, string>>;

export interface ServerTools {
  server: string;
  /** Undefined: it does not run */
  tools: readonly Tool[] | undefined;
  patterns: readonly string[] | undefined;
  pins: Pins | undefined;
}

/** The longest name that the APIs of models take */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export function listTools(servers: readonly ServerTools[]): ListedTool[] {
  const listed = servers.flatMap((one) => (one.tools ?? []).map((tool) => stateOf(one, tool)));
  const known = servers.flatMap(namesOf);
  return listed.map((one) => {
    if (one.state !== 'offered') return one;
    const { name } = one.tool;
    // No server has `__` in its name: what is prefixed cannot be the plain name of another tool.
    const isTaken = name.includes('__') || known.filter((other) => other === name).length > 1;
    const shown = isTaken ? `${one.server}__${name}` : name;
    return NAME.test(shown) ? { ...one, name: shown } : { ...one, state: 'bad-name' };
  });
}

/** Also of a server that does not run: the tools of the others keep their names. */
function namesOf({ tools = [], patterns, pins }: ServerTools): string[] {
  const names = pins === undefined ? tools.map(({ name }) => name) : Object.keys(pins);
  return names.filter((name) => isWanted(patterns, name));
}

function isWanted(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matches(pattern, name));
}

const hashes = new WeakMap<Tool, string>();

/** Covers the whole definition: also the schema and the annotations are read by the model. */
export function hashOf(tool: Tool): string {
  const known = hashes.get(tool);
  if (known !== undefined) return known;
  const hash = createHash('sha256')
    .update(JSON.stringify(sorted(tool)))
    .digest('hex');
  hashes.set(tool, hash);
  return hash;
}

/** `*` is any text. Linear in the length of the name. */
export function matches(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first) || name.length < first.length + last.length || !name.endsWith(last)) return false;
  let at = first.length;
  const end = name.length - last.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

function stateOf({ server, patterns, pins }: ServerTools, tool: Tool): ListedTool {
  const hash = hashOf(tool);
  const base = { server, tool, hash, name: undefined };
  if (!isWanted(patterns, tool.name)) return { ...base, state: 'filtered' };
  if (!NAME.test(tool.name)) return { ...base, state: 'bad-name' };
  const pin = pins !== undefined && Object.hasOwn(pins, tool.name) ? pins[tool.name] : undefined;
  if (pin !== undefined) return { ...base, state: pin === hash ? 'offered' : 'changed' };
  return { ...base, state: pins === undefined ? 'offered' : 'new' };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [key, sorted(inner)]);
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
}
