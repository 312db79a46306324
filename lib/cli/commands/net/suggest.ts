/** net suggest: makes allow entries of what a sandbox asked for and did not get, or got in mode "observe" only. */
import { command, maybeName } from '../../command/command.ts';

export const suggest = command<{ save: boolean }, [string?]>({
  brief: 'Suggests allow entries for what was denied or only observed',
  parameters: {
    flags: {
      save: { kind: 'boolean', brief: 'Write them into sandbox.toml; the next apply asks for them', default: false },
    },
    positional: maybeName(),
  },
  run: async (input) => (await import('./suggest-entries.ts')).suggestEntries(input),
});
