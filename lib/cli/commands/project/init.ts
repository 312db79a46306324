/** `sbx init`: writes a commented sandbox.toml for the project in this folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectProject, renderInit } from '../../../config/init.ts';
import { templateInfo } from '../../../config/load/template-info.ts';
import { builtinTemplates, templatesDir } from '../../../config/load/templates.ts';
import { errnoOf, SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';

export async function init({ cwd, view, flags }: Run<{ agent?: string }>): Promise<number> {
  const agent = flags.agent ?? 'shell';
  const known = await builtinTemplates();
  if (!known.includes(agent))
    throw new SbxError('usage', `unknown agent template: ${agent}`, {
      hint: `built-in templates are: ${known.join(', ')}`,
    });
  const detected = await detectProject(cwd);
  const { secrets } = await templateInfo(join(templatesDir(), `${agent}.toml`));
  const path = join(cwd, 'sandbox.toml');
  writeNew(path, renderInit(detected, { agent, known }));
  const names = [...new Set(secrets.map(({ name }) => name))];
  const languages = detected.languages.length === 0 ? '' : ` for ${detected.languages.join(', ')}`;
  const key = names.length === 0 ? '' : `\nits key: ${names.map((name) => `sbx secret set ${name}`).join(', or ')}`;
  view.result({ file: path, ...detected, agent, secrets: names }, `wrote ${path}${languages}${key}\nnext: sbx apply`);
  return 0;
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    throw new SbxError('usage', 'sandbox.toml already exists', { why: path, hint: 'change it, or remove it first' });
  }
}
