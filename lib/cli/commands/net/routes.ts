/** The commands of `sbx net`. */
import { command } from '../../command/command.ts';
import { count, maybeName, sandbox, text, toggle } from '../../command/parameters.ts';

/** At least one host. */
const hosts = (brief: string) => ({
  kind: 'array',
  minimum: 1,
  parameter: { parse: String, brief, placeholder: 'host' },
});

export const netRoutes = {
  log: command({
    brief: 'Shows the requests of a sandbox and their verdicts',
    parameters: {
      flags: {
        follow: toggle('Continue as verdicts arrive'),
        denied: toggle('Only denied requests, and those that only mode "observe" allowed'),
        host: text('Only this host, *.host or CIDR'),
        lines: count('Only the last records'),
      },
      aliases: { f: 'follow', n: 'lines' },
      positional: maybeName(),
    },
    load: async () => (await import('./log.ts')).log,
  }),
  check: command({
    brief: 'Shows the verdict on a request and its rule, without making the request',
    parameters: {
      flags: { sandbox: text('The sandbox; default: the only one'), method: text('HTTP method; default: GET') },
      positional: {
        kind: 'tuple',
        parameters: [
          sandbox('host, host:port or URL; before it, the name of a sandbox', 'name-or-host'),
          { parse: String, brief: 'host, host:port or URL', placeholder: 'host', optional: true },
        ],
      },
    },
    load: async () => (await import('./check.ts')).check,
  }),
  allow: command({
    brief: 'Allows a host: for one sandbox at once, or in sandbox.toml',
    examples: ['sbx net allow example.com --for 1h', 'sbx net allow "*.example.com" --save'],
    parameters: {
      flags: {
        for: text('For this long ("1h"); default: until it is revoked'),
        save: toggle('Write it into sandbox.toml instead, for the next apply'),
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
    load: async () => (await import('./allow.ts')).allow,
  }),
  deny: command({
    brief: 'Denies hosts for one sandbox at once, whatever allows them',
    examples: ['sbx net deny example.com "*.example.com"', 'sbx net deny example.com --for 1h --sandbox review'],
    parameters: {
      flags: {
        for: text('For this long ("1h"); default: until it is revoked'),
        sandbox: text('The sandbox; default: the only one'),
      },
      positional: hosts('As an entry of [network] deny: host, host:port, *.host, CIDR, preset:npm'),
    },
    load: async () => (await import('./deny.ts')).deny,
  }),
  revoke: command({
    brief: 'Takes back what "net allow" and "net deny" added',
    examples: ['sbx net revoke example.com', 'sbx net revoke preset:npm --sandbox review'],
    parameters: {
      flags: { sandbox: text('The sandbox; default: the only one') },
      positional: hosts('As it was written for "net allow" or "net deny"'),
    },
    load: async () => (await import('./revoke.ts')).revoke,
  }),
  suggest: command({
    brief: 'Suggests allow entries for requests that were denied or only observed',
    parameters: {
      flags: { save: toggle('Write them into sandbox.toml; the next apply asks for approval') },
      positional: maybeName(),
    },
    load: async () => (await import('./suggest.ts')).suggest,
  }),
};
