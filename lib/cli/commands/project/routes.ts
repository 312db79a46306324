/** The commands of a project's file. */
import { command } from '../../command/command.ts';
import { APPLY_FLAGS, DISCARD, names, templateNames, text, toggle } from '../../command/parameters.ts';

const REBUILD = toggle('Also give existing sandboxes new disks from newly built images: what is on theirs is lost');
const all = names('Sandboxes; default: all of the project');

export const projectRoutes = {
  init: command({
    brief: 'Writes a sandbox.toml that fits this project',
    examples: ['sbx init', 'sbx init --agent shell', 'sbx init --from-devcontainer'],
    parameters: {
      flags: {
        agent: { ...text('An agent template; default: shell'), proposeCompletions: templateNames },
        fromDevcontainer: toggle('Also use the devcontainer.json of the project'),
      },
    },
    load: async () => (await import('./init.ts')).init,
  }),
  validate: command({
    brief: 'Checks sandbox.toml',
    load: async () => (await import('./validate.ts')).validate,
  }),
  plan: command({
    brief: 'Shows what apply would do, and why',
    parameters: {
      flags: { exitCode: toggle('Exit with 3 when there are changes'), rebuild: REBUILD },
      positional: all,
    },
    load: async () => (await import('./plan.ts')).plan,
  }),
  lock: command({
    brief: 'Fetches the templates of repositories, and pins them in sandbox.lock',
    examples: ['sbx lock', 'sbx lock --update'],
    parameters: {
      flags: { update: toggle('Also take what a tag or branch is now, and show what changed') },
    },
    load: async () => (await import('./lock.ts')).lock,
  }),
  apply: command({
    brief: 'Makes the sandboxes match sandbox.toml',
    examples: ['sbx apply', 'sbx apply review', 'sbx apply --yes --accept-widening', 'sbx apply --rebuild review'],
    parameters: {
      flags: { ...APPLY_FLAGS, discard: DISCARD, rebuild: REBUILD },
      aliases: { y: 'yes' },
      positional: all,
    },
    load: async () => (await import('./apply.ts')).apply,
  }),
};
