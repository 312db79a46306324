/** `sbx cp`: copies files and folders in and out of a sandbox; data from a guest is not trusted. */
import { resolve } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { GuestConnection } from '../../../guest/client/connection.ts';
import type { CopyResult, Meter } from '../../../guest/copy/types.ts';
import type { Run } from '../../command/command.ts';
import { interruptible } from '../../command/interrupt.ts';
import { guestOf } from '../../command/project.ts';
import { SILENT } from '../../view/types.ts';
import { withMeter } from './copy-meter.ts';

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
}: Run<{ user?: string; quiet: boolean }, [string, string]>): Promise<number> {
  const [from, to] = [parseSide(args[0]), parseSide(args[1])];
  const name = from.name ?? to.name;
  if (name === undefined || (from.name !== undefined && to.name !== undefined))
    throw new SbxError('usage', 'one path must be in a sandbox, the other on the host', {
      hint: 'write NAME:PATH for the side in the sandbox (:PATH for the only sandbox)',
    });
  const { socket, place } = await guestOf({ context, cwd, name: name === '' ? undefined : name, view });
  await using guest = GuestConnection.open(socket);
  const copy = (meter: Meter, signal: AbortSignal) => {
    const common = { mailbox: place.mailbox, meter, signal, ...(flags.user === undefined ? {} : { user: flags.user }) };
    return from.name === undefined
      ? guest.put({ from: resolve(cwd, from.path), to: to.path, ...common })
      : guest.get({ from: from.path, to: onHost(cwd, to.path), ...common });
  };
  const shown = flags.quiet ? { ...view, meter: () => SILENT } : view;
  const result = await withMeter(shown, `copying ${from.path}`, (meter) =>
    interruptible((signal) => copy(meter, signal)).catch((error: unknown) => {
      throw isCancelled(error) ? cancelled({ from, to }, meter) : error;
    }),
  );
  view.result(result, describe(result));
  return 0;
}

function isCancelled(error: unknown): boolean {
  return error instanceof SbxError && error.code === 'cancelled';
}

/** Says what is left: the guest itself cannot be asked any more. */
function cancelled({ from, to }: { from: Side; to: Side }, { entries }: Meter): SbxError {
  const rest = 'every file has its name only once it is whole';
  const count = `${entries} ${entries === 1 ? 'entry' : 'entries'} of ${to.path} ${entries === 1 ? 'is' : 'are'} complete and stay`;
  return new SbxError('cancelled', `the copy of ${from.path} was cancelled`, {
    why:
      from.name === undefined
        ? `what the sandbox has received of ${to.path} stays there: ${rest}`
        : entries === 0
          ? 'nothing was written'
          : `${count}: ${rest}`,
    hint: 'copy again to get the rest',
  });
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
