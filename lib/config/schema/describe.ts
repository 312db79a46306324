/** Describes every key of sandbox.toml, from the schema: the source of the reference page and of the manual page. */
import { z } from 'zod';
import { fileSchema } from './schema.ts';

/** A key; texts may have parts in backticks */
export interface Row {
  key: string;
  type: string;
  /** Default value, or `required`; empty: none */
  preset: string;
  meaning: string;
}

export interface Section {
  /** `[network]`, `[[network.http]]` */
  heading: string;
  meaning: string;
  rows: Row[];
}

/** The parts of a JSON Schema node that are read */
interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Node>;
  required?: string[];
  items?: Node;
  anyOf?: Node[];
  additionalProperties?: Node | boolean;
}

export function describeFile(): { top: Row[]; tables: Section[] } {
  const root = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' }) as Node;
  const properties = Object.entries(root.properties ?? {});
  return {
    top: rowsOf(properties.filter(([, node]) => tableOf(node) === undefined)),
    tables: properties.flatMap(([key, node]) => sections(key, node)),
  };
}

function sections(key: string, node: Node): Section[] {
  const found = tableOf(node);
  if (found === undefined) return [];
  const meanings = [node.description, found.node.description];
  // The fields of a sandbox are those of the file, and are not repeated.
  const isSandbox = key === 'sandboxes';
  const rows = Object.entries(found.node.properties ?? {}).filter(([name]) => !isSandbox || name === 'count');
  const plain = rows.filter(([, child]) => !hasOwnSection(child));
  const below = isSandbox ? [] : rows.filter(([, child]) => hasOwnSection(child));
  return [
    {
      heading: found.heading(key),
      meaning: meanings.filter((text, index, all) => text !== undefined && all.indexOf(text) === index).join('. '),
      rows: rowsOf(plain, found.node.required),
    },
    ...below.flatMap(([name, child]) => sections(`${key}.${name}`, child)),
  ];
}

function hasOwnSection(node: Node): boolean {
  const found = tableOf(node);
  return found?.node.properties !== undefined;
}

/** The table of a node: the node itself, or the entry of its list or record. */
function tableOf(node: Node): { node: Node; heading: (key: string) => string } | undefined {
  const inner = node.anyOf?.find((option) => option.type === 'object') ?? node;
  if (inner.properties !== undefined) return { node: inner, heading: (key) => `[${key}]` };
  if (inner.items?.properties !== undefined) return { node: inner.items, heading: (key) => `[[${key}]]` };
  const values = inner.additionalProperties;
  if (typeof values !== 'object') return undefined;
  return values.properties === undefined
    ? { node: inner, heading: (key) => `[${key}]` }
    : { node: values, heading: (key) => `[${key}.<name>]` };
}

function rowsOf(rows: [string, Node][], required: string[] = []): Row[] {
  return rows.map(([key, node]) => ({
    key,
    type: typeOf(node),
    preset: node.default === undefined ? (required.includes(key) ? 'required' : '') : code(node.default),
    meaning: node.description ?? '',
  }));
}

function typeOf(node: Node): string {
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(', ');
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' or ');
  if (node.type === 'array') return node.items === undefined ? 'list' : `list of ${typeOf(node.items)}`;
  if (node.type === 'integer') return `whole number${range(node)}`;
  if (node.type === 'object') return 'table';
  return { string: 'text', boolean: 'true or false' }[node.type ?? ''] ?? 'value';
}

function range({ minimum, maximum }: Node): string {
  const known = [minimum, maximum].every((limit) => limit !== undefined && Math.abs(limit) < 1e6);
  return known ? `, ${minimum}–${maximum}` : '';
}

function code(value: unknown): string {
  return `\`${JSON.stringify(value)}\``;
}
