/** Generates the files derived from the schema: the JSON Schema for editors and the reference page. */
import { z } from 'zod';
import { describeFile, type Row } from './describe.ts';
import { fileSchema } from './schema.ts';

export function renderJsonSchema(): string {
  const schema = z.toJSONSchema(fileSchema, { target: 'draft-7', io: 'input' });
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** `docs/reference.md` */
export function renderReference(): string {
  const { top, tables } = describeFile();
  const sections = tables.map(({ heading, meaning, rows }) => {
    const intro = `## \`${heading}\`\n\n${meaning}.\n`;
    return rows.length === 0 ? intro : `${intro}\n${table(rows)}`;
  });
  return `# Reference of sandbox.toml

Generated from the schema (\`npm run generate\`). The first line \`#:schema ./schema/sandbox.schema.json\` (a path or URL
of that file) enables completion in editors. Unknown keys are errors. Entries of \`packages\`, \`network\`, \`mounts\`, \`ports\`,
\`services\`, \`credentials\` and of the lists of \`workspace\` are united when templates are merged; any other value replaces
the value of the template.

## Top level

${table(top)}
${sections.join('\n')}`;
}

function table(rows: Row[]): string {
  const lines = rows.map(
    ({ key, type, preset, meaning }) => `| \`${key}\` | ${type} | ${preset} | ${meaning.replaceAll('|', '\\|')} |`,
  );
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...lines, ''].join('\n');
}
