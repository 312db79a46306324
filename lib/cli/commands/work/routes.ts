/** The commands for the work in a clone (mode `clone`). */
import { command } from '../../command/command.ts';
import { maybeName, text, toggle } from '../../command/parameters.ts';

export const workRoutes = {
  fetch: command({
    brief: 'Fetches the commits of a clone into the branch sbx/NAME of this repository',
    parameters: {
      flags: {
        revision: text('Branch, tag or commit in the sandbox; default: HEAD'),
        force: toggle('Replace the branch if it has other commits'),
      },
      positional: maybeName(),
    },
    load: async () => (await import('./fetch.ts')).fetch,
  }),
  diff: command({
    brief: 'Shows the commits and changes in a clone since it was made',
    parameters: { positional: maybeName() },
    load: async () => (await import('./diff.ts')).diff,
  }),
};
