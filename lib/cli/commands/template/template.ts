/** template ls and show. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TemplateInfo } from '../../../config/load/template-info.ts';
import { templatesDir } from '../../../config/load/templates.ts';
import { SbxError } from '../../../errors.ts';
import { command } from '../../command/command.ts';
import { templateNames } from '../../command/template-names.ts';
import { columns } from '../../view/columns.ts';

export const ls = command({
  brief: 'Lists the agent templates that come with sbx',
  parameters: {},
  async run({ view }) {
    const { builtinTemplates } = await import('../../../config/load/templates.ts');
    const { templateInfo } = await import('../../../config/load/template-info.ts');
    const names = await builtinTemplates();
    const list = await Promise.all(names.map((name) => templateInfo(join(templatesDir(), `${name}.toml`))));
    view.result(list, table(list));
    return 0;
  },
});

export const show = command<object, [string]>({
  brief: 'Shows a template: a built-in name, or the path of one of your own',
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          brief: 'The template',
          placeholder: 'name',
          proposeCompletions: templateNames,
        },
      ],
    },
  },
  async run({ cwd, view, args }) {
    const { templateInfo } = await import('../../../config/load/template-info.ts');
    const file = await fileOf(args[0], cwd);
    const info = await templateInfo(file);
    const text = readFileSync(file, 'utf8');
    view.result({ ...info, text }, describe(info, text));
    return 0;
  },
});

async function fileOf(name: string, cwd: string): Promise<string> {
  if (name.includes('/') || name.endsWith('.toml')) return resolve(cwd, name);
  const { builtinTemplates } = await import('../../../config/load/templates.ts');
  const known = await builtinTemplates();
  if (known.includes(name)) return join(templatesDir(), `${name}.toml`);
  throw new SbxError('not-found', `there is no template "${name}"`, {
    why: `built in are: ${known.join(', ')}`,
    hint: `name one of them; one of your own is named by its path: ./${name}.toml`,
  });
}

function table(list: TemplateInfo[]): string {
  return columns([
    ['NAME', 'PACKAGE', 'VERIFIED', 'WHAT IT IS'],
    ...list.map((one) => [one.name, one.packages.npm[0] ?? '-', verified(one), one.description]),
  ]);
}

function verified({ unverified }: TemplateInfo): string {
  return unverified === undefined ? 'yes' : 'no';
}

/** The file is its own documentation; above it, what cannot be seen at a glance. */
function describe(info: TemplateInfo, text: string): string {
  const notes = info.unverified === undefined ? [] : [`not verified: ${info.unverified}`, ''];
  return [info.file, ...notes, text.trimEnd()].join('\n');
}
