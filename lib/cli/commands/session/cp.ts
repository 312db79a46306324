/** `sbx cp`: copies files and folders in and out of a sandbox; data from a guest is not trusted. */
import { resolve } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { GuestConnection } from '../../../guest/client/connection.ts';
import type { CopyResult } from '../../../guest/copy/types.ts';
import type { Run } from '../../command/command.ts';
import { guestOf } from '../../command/project.ts';

interface Side {
  /** Undefined: the host; empty: the project's only sandbox */
  name: string | undefined;
  path: string;
}

export async function cp({
  context,
  cwd,
  view,
  flags,
  args,
}: Run<{ user?: string }, [string, string]>): Promise<number> {
  const [from, to] = [parseSide(args[0]), parseSide(args[1])];
  const name = from.name ?? to.name;
  if (name === undefined || (from.name !== undefined && to.name !== undefined))
    throw new SbxError('usage', 'one path must be in a sandbox, the other on the host', {
      hint: 'write NAME:PATH for the side in the sandbox (:PATH for the only sandbox)',
    });
  const { socket, place } = await guestOf({ context, cwd, name: name === '' ? undefined : name, view });
  await using guest = GuestConnection.open(socket);
  const common = { mailbox: place.mailbox, ...(flags.user === undefined ? {} : { user: flags.user }) };
  const result =
    from.name === undefined
      ? await guest.put({ from: resolve(cwd, from.path), to: to.path, ...common })
      : await guest.get({ from: from.path, to: onHost(cwd, to.path), ...common });
  view.result(result, describe(result));
  return 0;
}

function parseSide(text: string): Side {
  const match = /^([a-z0-9-]*(?:\/[a-z0-9-]+)?):(.+)$/.exec(text);
  return match === null ? { name: undefined, path: text } : { name: match[1] ?? '', path: match[2] ?? '' };
}

/** Keeps a slash at the end, which marks a folder. */
function onHost(cwd: string, path: string): string {
  return path.endsWith('/') ? `${resolve(cwd, path)}/` : resolve(cwd, path);
}

function describe({ entries, bytes, skipped }: CopyResult): string {
  return [
    `copied ${entries} ${entries === 1 ? 'entry' : 'entries'}, ${bytes} bytes`,
    ...skipped.map(({ name, why }) => `skipped: ${name}: ${why}`),
  ].join('\n');
}
