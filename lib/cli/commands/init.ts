/** init: writes a commented sandbox.toml for the project that stands here. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, SbxError } from '../../errors.ts';
import { command } from '../command.ts';

export const init = command<{ agent?: string }>({
  brief: 'Writes a sandbox.toml that fits this project',
  parameters: {
    flags: {
      agent: {
        kind: 'parsed',
        parse: String,
        brief: 'An agent template; default: shell',
        optional: true,
        proposeCompletions: async (partial: string) =>
          (await (await import('../../config/templates.ts')).builtinTemplates()).filter((one) =>
            one.startsWith(partial),
          ),
      },
    },
  },
  async run({ cwd, view, flags }) {
    const { detectProject, renderInit } = await import('../../config/init.ts');
    const { builtinTemplates } = await import('../../config/templates.ts');
    const agent = flags.agent ?? 'shell';
    const known = await builtinTemplates();
    if (!known.includes(agent))
      throw new SbxError('usage', `there is no agent template "${agent}"`, {
        hint: `built in are: ${known.join(', ')}`,
      });
    const detected = await detectProject(cwd);
    const path = join(cwd, 'sandbox.toml');
    try {
      writeFileSync(path, renderInit(detected, agent), { flag: 'wx' });
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      throw new SbxError('usage', 'there is a sandbox.toml already', {
        why: path,
        hint: 'change it, or remove it first',
      });
    }
    view.result(
      { file: path, ...detected, agent },
      `wrote ${path}${detected.languages.length === 0 ? '' : ` for ${detected.languages.join(', ')}`}\nnext: sbx apply`,
    );
    return 0;
  },
});
