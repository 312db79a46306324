/** The commands of `sbx template`. */
import { command } from '../../command/command.ts';
import { templateNames, word } from '../../command/parameters.ts';

export const templateRoutes = {
  ls: command({
    brief: 'Lists the agent templates that come with sbx',
    load: async () => (await import('./ls.ts')).ls,
  }),
  show: command({
    brief: 'Shows a template: the name of a built-in one, or the path of a file',
    parameters: { positional: word('The template', 'name', templateNames) },
    load: async () => (await import('./show.ts')).show,
  }),
};
