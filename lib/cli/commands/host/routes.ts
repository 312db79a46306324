/** The commands of this host: checks, space, the daemon, shells. */
import { command } from '../../command/command.ts';
import { count, LOG_FLAGS, toggle, word, YES } from '../../command/parameters.ts';
import { SHELLS } from './completion-scripts.ts';

export const hostRoutes = {
  doctor: command({
    brief: 'Checks this host and shows a fix for each failure',
    parameters: { flags: { fix: toggle('Install what is missing, with sudo when not root') } },
    load: async () => (await import('./doctor.ts')).doctor,
  }),
  gc: command({
    brief: 'Frees layers that no sandbox uses',
    examples: ['sbx gc --dry-run', 'sbx gc --all --keep 30'],
    parameters: {
      flags: {
        dryRun: toggle('Only show what would be freed'),
        all: toggle('Also layers that take minutes to build again: base, packages, agent'),
        keep: { ...count('Keep what was used in the last DAYS days'), placeholder: 'days' },
      },
    },
    load: async () => (await import('./gc.ts')).gc,
  }),
  version: command({
    brief: 'Shows the version of sbx',
    load: async () => (await import('./version.ts')).version,
  }),
  completion: command({
    brief: 'Prints a completion script: bash, zsh or fish',
    parameters: {
      positional: word('bash, zsh or fish', 'shell', (partial) => SHELLS.filter((name) => name.startsWith(partial))),
    },
    load: async () => (await import('./completion.ts')).completion,
  }),
};

export const daemonRoutes = {
  status: command({
    brief: 'Shows whether the daemon runs',
    load: async () => (await import('./daemon.ts')).status,
  }),
  stop: command({
    brief: 'Stops the daemon; the VMs keep running, without a network',
    parameters: { flags: { yes: YES }, aliases: { y: 'yes' } },
    load: async () => (await import('./daemon.ts')).stop,
  }),
  logs: command({
    brief: 'Shows the log of the daemon',
    parameters: { flags: LOG_FLAGS, aliases: { f: 'follow', n: 'lines' } },
    load: async () => (await import('./daemon.ts')).logs,
  }),
};
