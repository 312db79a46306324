/** `sbx template show`: shows the file of a template. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { templateInfo } from '../../../config/load/template-info.ts';
import { builtinTemplates, templatesDir } from '../../../config/load/templates.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';

export async function show({ cwd, view, args }: Run<object, [string]>): Promise<number> {
  const file = await fileOf(args[0], cwd);
  const info = await templateInfo(file);
  const text = readFileSync(file, 'utf8');
  // The file documents itself; only its path and the state of its verification are added.
  const notes = info.unverified === undefined ? [] : [`not verified: ${info.unverified}`, ''];
  view.result({ ...info, text }, [info.file, ...notes, text.trimEnd()].join('\n'));
  return 0;
}

async function fileOf(name: string, cwd: string): Promise<string> {
  if (name.includes('/') || name.endsWith('.toml')) return resolve(cwd, name);
  const known = await builtinTemplates();
  if (known.includes(name)) return join(templatesDir(), `${name}.toml`);
  throw new SbxError('not-found', `unknown template: ${name}`, {
    why: `built-in templates are: ${known.join(', ')}`,
    hint: `use one of them, or the path of a file: ./${name}.toml`,
  });
}
