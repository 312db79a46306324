/** The commands that show sandboxes, their ports and the snapshots of their disks. */
import { command } from '../../command/command.ts';
import { DISCARD, maybeName, names, text, toggle, word, YES_TO_DISK } from '../../command/parameters.ts';

export const sandboxRoutes = {
  ls: command({
    brief: 'Lists the sandboxes of this project, or of all',
    parameters: {
      flags: { all: toggle('Of all projects, as outside of a project'), quiet: toggle('Only ids') },
      aliases: { a: 'all', q: 'quiet' },
    },
    load: async () => (await import('./ls.ts')).ls,
  }),
  status: command({
    brief: 'Shows how a sandbox is, in words',
    parameters: { positional: maybeName() },
    load: async () => (await import('./status.ts')).status,
  }),
  inspect: command({
    brief: 'Shows everything about one sandbox',
    parameters: { positional: maybeName() },
    load: async () => (await import('./inspect.ts')).inspect,
  }),
  stats: command({
    brief: 'Shows what sandboxes use: processors, memory, disk, network, processes',
    examples: ['sbx stats', 'sbx stats --once review', 'sbx stats --json'],
    parameters: {
      flags: {
        all: toggle('Of all projects, as outside of a project'),
        once: toggle('One table, as without a terminal'),
        watch: toggle('A table every two seconds until Ctrl-C, as on a terminal; with --json a document a line'),
      },
      aliases: { a: 'all' },
      positional: names('Sandboxes'),
    },
    load: async () => (await import('./stats.ts')).stats,
  }),
  ports: command({
    brief: 'Shows the ports of a sandbox on this host, opens more, or takes them back',
    examples: ['sbx ports', 'sbx ports --publish 8080:3000', 'sbx ports review --unpublish 8080:3000'],
    parameters: {
      flags: {
        publish: {
          ...text('[ADDR:]HOST:GUEST, or the port that both have; 0 as HOST: a free one; may be repeated'),
          variadic: true,
        },
        unpublish: { ...text('As it was published; may be repeated'), variadic: true },
        watch: toggle('Stay, and say or ask what begins to listen inside; Ctrl-C ends it'),
      },
      positional: maybeName(),
    },
    load: async () => (await import('./ports.ts')).ports,
  }),
};

const SANDBOX = { sandbox: text('The sandbox; default: the only one') };
const LABEL = word('Name of the snapshot', 'label');

/** The commands of `sbx snapshot`. */
export const snapshotRoutes = {
  create: command({
    brief: 'Copies the disk of a stopped sandbox under a name',
    examples: ['sbx stop && sbx snapshot create before-upgrade && sbx start'],
    parameters: { flags: SANDBOX, positional: LABEL },
    load: async () => (await import('./snapshot.ts')).create,
  }),
  ls: command({
    brief: 'Lists the snapshots of a sandbox',
    parameters: { flags: SANDBOX },
    load: async () => (await import('./snapshot.ts')).ls,
  }),
  restore: command({
    brief: 'Gives a stopped sandbox the disk of a snapshot',
    parameters: {
      flags: { ...SANDBOX, yes: YES_TO_DISK, discard: DISCARD },
      aliases: { y: 'yes' },
      positional: LABEL,
    },
    load: async () => (await import('./snapshot.ts')).restore,
  }),
  rm: command({
    brief: 'Removes a snapshot',
    parameters: { flags: SANDBOX, positional: LABEL },
    load: async () => (await import('./snapshot.ts')).rm,
  }),
};
