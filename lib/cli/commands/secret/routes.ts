/** The commands of `sbx secret`. */
import { command } from '../../command/command.ts';
import { text, word } from '../../command/parameters.ts';

const SANDBOX = text('Only for this sandbox of the project (--project alone: for all sandboxes of that project)');

export const secretRoutes = {
  set: command({
    brief: 'Stores a secret on the host: typed hidden, from stdin, a variable or a command',
    parameters: {
      flags: {
        fromEnv: text('The current value of this variable'),
        command: text('The output of this host command on demand ("gh auth token"), run without a shell'),
        cache: {
          kind: 'parsed',
          parse: String,
          brief: 'How long a value of --command is kept in memory',
          default: '5m',
        },
        sandbox: SANDBOX,
      },
      positional: word('Name, as `secret` in [[credentials]]', 'secret'),
    },
    load: async () => (await import('./set.ts')).set,
  }),
  ls: command({
    brief: 'Lists the secrets of this host, never their values',
    load: async () => (await import('./ls.ts')).ls,
  }),
  rm: command({
    brief: 'Removes a secret from the host',
    parameters: { flags: { sandbox: SANDBOX }, positional: word('Name of the secret', 'secret') },
    load: async () => (await import('./rm.ts')).rm,
  }),
};
