/** The commands that start, stop and remove sandboxes. */
import { command } from '../../command/command.ts';
import { DISCARD, maybeName, names, toggle, YES, YES_TO_DISK } from '../../command/parameters.ts';

const one = { flags: { yes: YES }, aliases: { y: 'yes' }, positional: maybeName() };

export const lifecycleRoutes = {
  start: command({
    brief: 'Starts a stopped sandbox, or continues a suspended one',
    parameters: one,
    load: async () => (await import('./start.ts')).start,
  }),
  stop: command({
    brief: 'Stops a sandbox and keeps its disk',
    parameters: {
      ...one,
      flags: { yes: YES, suspend: toggle('Saves its memory: the next start continues its processes') },
    },
    load: async () => (await import('./stop.ts')).stop,
  }),
  suspend: command({
    brief: 'Suspends sandboxes: their memory is saved, and `sbx start` continues their processes',
    examples: ['sbx suspend', 'sbx suspend review build'],
    parameters: { flags: { yes: YES }, aliases: { y: 'yes' }, positional: names('Sandboxes') },
    load: async () => (await import('./suspend.ts')).suspend,
  }),
  restart: command({
    brief: 'Boots a sandbox again on its own disk',
    parameters: one,
    load: async () => (await import('./restart.ts')).restart,
  }),
  reset: command({
    brief: 'Returns a sandbox to its warm snapshot',
    parameters: { ...one, flags: { yes: YES_TO_DISK, discard: DISCARD } },
    load: async () => (await import('./reset.ts')).reset,
  }),
  rm: command({
    brief: 'Removes sandboxes and their disks',
    examples: ['sbx rm review', 'sbx rm --all', 'sbx rm $(sbx ls -q)'],
    parameters: {
      flags: {
        yes: YES_TO_DISK,
        all: toggle('All sandboxes of this project; outside of a project, of all projects'),
        discard: DISCARD,
        kept: toggle('Also the folders of [agent] keep, which stay otherwise'),
      },
      aliases: { y: 'yes' },
      positional: names('Sandboxes'),
    },
    load: async () => (await import('./rm.ts')).rm,
  }),
};
