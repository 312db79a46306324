/** init: writes a commented sandbox.toml for the project that stands here. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { templatesDir } from '../../../config/load/templates.ts';
import { errnoOf, SbxError } from '../../../errors.ts';
import { command } from '../../command/command.ts';
import { templateNames } from '../../command/template-names.ts';

export const init = command<{ agent?: string }>({
  brief: 'Writes a sandbox.toml that fits this project',
  parameters: {
    flags: {
      agent: {
        kind: 'parsed',
        parse: String,
        brief: 'An agent template; default: shell',
        optional: true,
        proposeCompletions: templateNames,
      },
    },
  },
  async run({ cwd, view, flags }) {
    const { detectProject, renderInit } = await import('../../../config/init.ts');
    const { builtinTemplates } = await import('../../../config/load/templates.ts');
    const { templateInfo } = await import('../../../config/load/template-info.ts');
    const agent = flags.agent ?? 'shell';
    const known = await builtinTemplates();
    if (!known.includes(agent))
      throw new SbxError('usage', `there is no agent template "${agent}"`, {
        hint: `built in are: ${known.join(', ')}`,
      });
    const detected = await detectProject(cwd);
    const { secrets } = await templateInfo(join(templatesDir(), `${agent}.toml`));
    const path = join(cwd, 'sandbox.toml');
    try {
      writeFileSync(path, renderInit(detected, { agent, known }), { flag: 'wx' });
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      throw new SbxError('usage', 'there is a sandbox.toml already', {
        why: path,
        hint: 'change it, or remove it first',
      });
    }
    const names = [...new Set(secrets.map(({ name }) => name))];
    const languages = detected.languages.length === 0 ? '' : ` for ${detected.languages.join(', ')}`;
    const key = names.length === 0 ? '' : `\nits key: ${names.map((name) => `sbx secret set ${name}`).join(', or ')}`;
    view.result({ file: path, ...detected, agent, secrets: names }, `wrote ${path}${languages}${key}\nnext: sbx apply`);
    return 0;
  },
});
