/** Generates the files derived from the schema: the JSON Schema for editors and the reference page. */
import { z } from 'zod';
import { fileSchema } from './schema.ts';
import { UNSUPPORTED } from './unsupported.ts';

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

export function renderJsonSchema(): string {
  const schema = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' });
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** `docs/reference.md` */
export function renderReference(): string {
  const root = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' }) as Node;
  const properties = Object.entries(root.properties ?? {});
  const plain = properties.filter(([, node]) => tableOf(node) === undefined);
  const tables = properties.flatMap(([key, node]) => sections(key, node));
  return `# Reference of sandbox.toml

Generated from the schema (\`npm run generate\`). The first line \`#:schema ./schema/sandbox.schema.json\` (a path or URL
of that file) enables completion in editors. Unknown keys are errors. Entries of \`packages\`, \`network\`, \`mounts\`, \`ports\`,
\`services\`, \`credentials\` and of the lists of \`workspace\` are united when templates are merged; any other value replaces
the value of the template.

Valid but not implemented yet; \`sbx apply\` fails when one is set: ${UNSUPPORTED.map((path) => `\`${path}\``).join(', ')}
(\`image.base\` for \`oci:\` references only).

## Top level

${table(plain)}
${tables.join('\n')}`;
}

function sections(key: string, node: Node): string[] {
  const found = tableOf(node);
  if (found === undefined) return [];
  const heading = `## \`${found.heading(key)}\`\n\n${[node.description, found.node.description].filter((text, index, all) => text !== undefined && all.indexOf(text) === index).join('. ')}.\n`;
  // The fields of a sandbox are those of the file, and are not repeated.
  const isSandbox = key === 'sandboxes';
  const rows = Object.entries(found.node.properties ?? {}).filter(([name]) => !isSandbox || name === 'count');
  const plain = rows.filter(([, child]) => !hasOwnSection(child));
  const below = isSandbox ? [] : rows.filter(([, child]) => hasOwnSection(child));
  return [
    plain.length === 0 ? heading : `${heading}\n${table(plain, found.node.required)}`,
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

function table(rows: [string, Node][], required: string[] = []): string {
  const lines = rows.map(([key, node]) => {
    const preset = node.default === undefined ? (required.includes(key) ? 'required' : '') : code(node.default);
    return `| \`${key}\` | ${typeOf(node)} | ${preset} | ${(node.description ?? '').replaceAll('|', '\\|')} |`;
  });
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...lines, ''].join('\n');
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
