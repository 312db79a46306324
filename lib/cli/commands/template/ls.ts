/** `sbx template ls`: lists the built-in templates. */
import { join } from 'node:path';
import { type TemplateInfo, templateInfo } from '../../../config/load/template-info.ts';
import { builtinTemplates, templatesDir } from '../../../config/load/templates.ts';
import type { Run } from '../../command/command.ts';
import { columns } from '../../view/columns.ts';

export async function ls({ view }: Run): Promise<number> {
  const names = await builtinTemplates();
  const list = await Promise.all(names.map((name) => templateInfo(join(templatesDir(), `${name}.toml`))));
  view.result(list, columns([['NAME', 'PACKAGE', 'VERIFIED', 'WHAT IT IS'], ...list.map(rowOf)]));
  return 0;
}

function rowOf({ name, packages, unverified, description }: TemplateInfo): string[] {
  return [name, packages.npm[0] ?? '-', unverified === undefined ? 'yes' : 'no', description];
}
