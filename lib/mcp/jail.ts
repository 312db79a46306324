/** Builds the command line of bubblewrap that jails an MCP server: no network, no home folder, of the host only /usr and the granted folders. Pure. */
import { ISOLATED } from '../system/isolated.ts';
import type { McpServer } from './config.ts';

export function jailArgs({ command, folders }: Pick<McpServer, 'command' | 'folders'>): string[] {
  return [
    ...ISOLATED,
    '--die-with-parent',
    ...['--setenv', 'HOME', '/tmp'],
    ...folders.flatMap((folder) => ['--ro-bind', folder, folder]),
    ...['--remount-ro', '/', '--chdir', '/tmp', '--', ...command],
  ];
}
