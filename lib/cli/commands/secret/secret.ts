/** secret: values that stay on the host. */
import { command, word } from '../../command/command.ts';

const SANDBOX = {
  kind: 'parsed',
  parse: String,
  brief: 'For this sandbox of the project only (with --project alone: for all of that project)',
  optional: true,
} as const;

export const set = command<{ fromEnv?: string; command?: string; cache: string; sandbox?: string }, [string]>({
  brief: 'Keeps a secret on the host: typed hidden, from the standard input, a variable or a command',
  parameters: {
    flags: {
      fromEnv: { kind: 'parsed', parse: String, brief: 'The value of this variable, as it is now', optional: true },
      command: {
        kind: 'parsed',
        parse: String,
        brief: 'What this command of the host prints, whenever it is needed ("gh auth token"); run without a shell',
        optional: true,
      },
      cache: { kind: 'parsed', parse: String, brief: 'How long a value of --command is kept in memory', default: '5m' },
      sandbox: SANDBOX,
    },
    positional: word('Name, as `secret` in [[credentials]]', 'secret'),
  },
  run: async (input) => (await import('./set.ts')).setSecret(input),
});

export const ls = command({
  brief: 'Lists the secrets of this host, never their values',
  parameters: {},
  run: async (input) => (await import('./ls.ts')).listSecrets(input),
});

export const rm = command<{ sandbox?: string }, [string]>({
  brief: 'Removes a secret from the host',
  parameters: { flags: { sandbox: SANDBOX }, positional: word('Name of the secret', 'secret') },
  run: async (input) => (await import('./rm.ts')).removeSecret(input),
});
