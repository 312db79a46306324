/** cp: files and folders in and out of a sandbox, as a tar stream. What comes out of a guest is not trusted. */
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import tar from 'tar-stream';
import type { DaemonClient } from '../../daemon/client.ts';
import { SbxError } from '../../errors.ts';
import type { GuestConnection } from '../../guest/client.ts';
import { command } from '../command.ts';
import { daemonOf, resolveSandbox } from '../project.ts';
import { extractSafely } from '../safe-extract.ts';

export const cp = command<object, [string, string]>({
  brief: 'Copies files in or out: sbx cp FILE NAME:PATH · sbx cp NAME:PATH FILE',
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: String, brief: 'From', placeholder: 'from' },
        { parse: String, brief: 'To', placeholder: 'to' },
      ],
    },
  },
  async run({ context, cwd, view, args }) {
    const [from, to] = [parseSide(args[0]), parseSide(args[1])];
    if ((from.name === undefined) === (to.name === undefined))
      throw new SbxError('usage', 'one side must be in a sandbox, the other on the host', {
        hint: 'write NAME:PATH for the side in the sandbox (:PATH for the only one)',
      });
    const client = await daemonOf(context);
    const count =
      from.name === undefined ? await copyIn(client, cwd, from.path, to) : await copyOut(client, cwd, from, to.path);
    view.result({ copied: count }, `copied ${count} ${count === 1 ? 'entry' : 'entries'}`);
    return 0;
  },
});

interface Side {
  /** Undefined: the host; empty: the project's only sandbox */
  name: string | undefined;
  path: string;
}

function parseSide(text: string): Side {
  const match = /^([a-z0-9-]*(?:\/[a-z0-9-]+)?):(.+)$/.exec(text);
  return match === null ? { name: undefined, path: text } : { name: match[1] ?? '', path: match[2] ?? '' };
}

async function open(client: DaemonClient, cwd: string, name: string): Promise<GuestConnection> {
  const { GuestConnection } = await import('../../guest/client.ts');
  const sandbox = await resolveSandbox(client, cwd, name === '' ? undefined : name);
  return GuestConnection.connect(await client.guest(sandbox.id), { fresh: true });
}

/** busybox is on every runtime disk, whatever the image. Arguments are never part of the script. */
const UNPACK =
  'set -e; to=$1; name=$2; bb=/opt/sbx/bin/busybox; if [ -d "$to" ]; then exec $bb tar -xf - -C "$to"; fi; dir=$($bb dirname -- "$to"); work=$($bb mktemp -d -p "$dir" .sbx-cp.XXXXXX); $bb tar -xf - -C "$work"; $bb mv -T -- "$work/$name" "$to"; $bb rmdir "$work"';
const PACK =
  'set -e; dir=$(/opt/sbx/bin/busybox dirname -- "$1"); name=$(/opt/sbx/bin/busybox basename -- "$1"); [ -e "$1" ] || { echo "$1: no such file in the sandbox" >&2; exit 1; }; exec /opt/sbx/bin/busybox tar -cf - -C "$dir" -- "./$name"';

async function copyIn(client: DaemonClient, cwd: string, from: string, to: Side): Promise<number> {
  await using guest = await open(client, cwd, to.name ?? '');
  const source = resolve(cwd, from);
  if ((await lstat(source).catch(() => undefined)) === undefined)
    throw new SbxError('not-found', `${from} does not exist`);
  const child = guest.exec({
    argv: ['/opt/sbx/bin/busybox', 'sh', '-c', UNPACK, 'sh', to.path, basename(source)],
    cwd: '/',
    stdin: true,
  });
  child.stdout.resume();
  const failure = textOf(child.stderr);
  const pack = tar.pack();
  const sending = pipeline(pack, child.stdin).catch(() => {});
  const count = await addEntry(pack, source, basename(source));
  pack.finalize();
  await sending;
  const { code } = await child.exit;
  if (code !== 0)
    throw new SbxError('guest-failed', `the sandbox could not take ${from}`, { why: (await failure).trim() });
  return count;
}

async function addEntry(pack: tar.Pack, path: string, name: string): Promise<number> {
  const found = await lstat(path);
  const common = { name, mode: found.mode & 0o7777, mtime: found.mtime };
  if (found.isSymbolicLink()) {
    pack.entry({ ...common, type: 'symlink', linkname: await readlink(path) });
    return 1;
  }
  if (found.isDirectory()) {
    pack.entry({ ...common, type: 'directory' });
    let count = 1;
    for (const child of await readdir(path)) count += await addEntry(pack, join(path, child), `${name}/${child}`);
    return count;
  }
  if (!found.isFile()) throw new SbxError('usage', `${path} is neither a file, a folder nor a link`);
  await pipeline(createReadStream(path), pack.entry({ ...common, type: 'file', size: found.size }));
  return 1;
}

async function copyOut(client: DaemonClient, cwd: string, from: Side, to: string): Promise<number> {
  await using guest = await open(client, cwd, from.name ?? '');
  const child = guest.exec({
    argv: ['/opt/sbx/bin/busybox', 'sh', '-c', PACK, 'sh', from.path],
    cwd: '/',
    stdin: false,
  });
  const failure = textOf(child.stderr);
  const target = resolve(cwd, to);
  const isFolder = (await lstat(target).catch(() => undefined))?.isDirectory() === true;
  const into = isFolder ? target : dirname(target);
  await mkdir(into, { recursive: true });
  const count = await extractSafely(child.stdout, into, isFolder ? undefined : basename(target));
  const { code } = await child.exit;
  if (code !== 0)
    throw new SbxError('guest-failed', `${from.path} could not be copied`, { why: (await failure).trim() });
  return count;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text = (text + String(chunk)).slice(0, 4096);
  return text;
}
