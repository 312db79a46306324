/** `sbx init`: writes a commented sandbox.toml for the project in this folder. */
import { realpathSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fromDevcontainer } from '../../../config/devcontainer/from-devcontainer.ts';
import { detectProject, renderInit, withDevcontainer } from '../../../config/init.ts';
import { templateInfo } from '../../../config/load/template-info.ts';
import { builtinTemplates, templatesDir } from '../../../config/load/templates.ts';
import { errnoOf, SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import { inOneLine } from '../../view/printable.ts';

export async function init({
  context,
  cwd,
  view,
  flags,
}: Run<{ agent?: string; fromDevcontainer: boolean }>): Promise<number> {
  checkFolder(cwd, context.process.env['HOME'] ?? homedir());
  const agent = flags.agent ?? 'shell';
  const known = await builtinTemplates();
  if (!known.includes(agent))
    throw new SbxError('usage', `unknown agent template: ${agent}`, {
      hint: `built-in templates are: ${known.join(', ')}`,
    });
  const found = await detectProject(cwd);
  const detected = flags.fromDevcontainer ? withDevcontainer(found, await fromDevcontainer(cwd)) : found;
  const { secrets } = await templateInfo(join(templatesDir(), `${agent}.toml`));
  const path = join(cwd, 'sandbox.toml');
  writeNew(path, renderInit(detected, { agent, known }));
  const names = [...new Set(secrets.map(({ name }) => name))];
  const languages = detected.languages.length === 0 ? '' : ` for ${detected.languages.join(', ')}`;
  const lines = detected.found.map(
    ({ file, what, used }) => `\n${used ? 'used' : 'not used'}: ${inOneLine(file)}: ${inOneLine(what)}`,
  );
  const key = names.length === 0 ? '' : `\nits key: ${names.map((name) => `sbx secret set ${name}`).join(', or ')}`;
  view.result(
    { file: path, ...detected, agent, secrets: names },
    `wrote ${path}${languages}${lines.join('')}${key}\nnext: sbx apply`,
  );
  return 0;
}

/** What is here would be the workspace: all of it, with the keys of the user. */
function checkFolder(cwd: string, home: string): void {
  const here = realpathSync(cwd);
  const what = here === '/' ? 'the root of the file system' : isSame(here, home) ? 'your home folder' : undefined;
  if (what === undefined) return;
  throw new SbxError('usage', `${what} cannot be a project`, {
    why: 'an agent would get everything in it',
    hint: 'change to the folder of one project, or make one: mkdir shop && cd shop && sbx init',
  });
}

function isSame(here: string, home: string): boolean {
  try {
    return here === realpathSync(home);
  } catch {
    return false;
  }
}

const UNWRITABLE: readonly string[] = ['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOSPC', 'EDQUOT'];

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    const code = errnoOf(error);
    if (code !== undefined && UNWRITABLE.includes(code))
      throw new SbxError('usage', 'sandbox.toml cannot be written here', {
        why: `${path}: ${code}`,
        hint: 'check the permissions of the folder, or run `sbx init` in another one',
        cause: error,
      });
    if (code !== 'EEXIST') throw error;
    throw new SbxError('usage', 'sandbox.toml already exists', { why: path, hint: 'change it, or remove it first' });
  }
}
