/** net allow: lets a host out of a running sandbox, for a while or for good. */
import { command, sandbox } from '../../command/command.ts';

export const allow = command<{ for?: string; save: boolean }, [string, string?]>({
  brief: 'Lets a host out: of one sandbox at once, or written into sandbox.toml',
  parameters: {
    flags: {
      for: {
        kind: 'parsed',
        parse: String,
        brief: 'For this long ("1h"); default: until the sandbox is removed',
        optional: true,
      },
      save: { kind: 'boolean', brief: 'Write it into sandbox.toml instead, for the next apply', default: false },
    },
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          brief: 'As an entry of [network] allow: host, host:port, *.host, CIDR, preset:npm',
          placeholder: 'host',
        },
        { ...sandbox('The sandbox'), optional: true },
      ],
    },
  },
  run: async (input) => (await import('./allow-host.ts')).allowHost(input),
});
