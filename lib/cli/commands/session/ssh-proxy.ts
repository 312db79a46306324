/** `sbx ssh-proxy`: the ProxyCommand of a host entry. Starts an sshd inside that serves this one connection on stdin and stdout; nothing listens. */
import { SbxError } from '../../../errors.ts';
import { GuestConnection } from '../../../guest/client/connection.ts';
import { sshPaths } from '../../../paths.ts';
import { ensureKeys } from '../../../ssh/keys.ts';
import PREPARE from '../../../ssh/prepare.sh';
import { SERVER_CONFIG, serverConfig } from '../../../ssh/server-config.ts';
import type { Run } from '../../command/command.ts';
import { guestOf } from '../../command/project.ts';
import { callerOf } from '../../run/caller.ts';
import { runInGuest } from './run-in-guest.ts';

/** Of the environment or of an error, bytes */
const OUTPUT_MAX = 1024 ** 2;
const NO_SERVER = 127;

export async function sshProxy(input: Run<object, [string]>): Promise<number> {
  const { context, cwd, view, args } = input;
  if (view.json)
    throw new SbxError('usage', '--json is not for ssh-proxy', {
      why: 'its stdout is the connection of ssh',
      hint: 'remove --json',
    });
  const [name] = args;
  const { socket, place } = await guestOf({ context, cwd, name, view });
  const guest = GuestConnection.open(socket);
  try {
    const keys = await ensureKeys(place.id, sshPaths(context.home, place.id));
    const caller = callerOf(process.env);
    const environment = await outputOf(guest, { argv: ['env', '-0'], caller });
    await outputOf(guest, {
      argv: ['sh', '-c', PREPARE, 'sh', keys.serverPrivate.trim(), keys.userPublic],
      user: 'root',
      input: serverConfig(environment),
    });
  } finally {
    // Not awaited, as after any command.
    void guest[Symbol.asyncDispose]();
  }
  const argv = ['/usr/sbin/sshd', '-i', '-e', '-f', SERVER_CONFIG];
  return runInGuest(input, { name: place.id, argv, user: undefined, workdir: '/', tty: false, stdin: true });
}

interface Asked {
  argv: string[];
  caller?: ReturnType<typeof callerOf>;
  user?: string;
  input?: string;
}

async function outputOf(guest: GuestConnection, { input, ...asked }: Asked): Promise<string> {
  await using child = guest.exec({ ...asked, cwd: '/', stdin: input !== undefined });
  child.stdin.on('error', () => {});
  if (input !== undefined) child.stdin.end(input);
  const [output, errors, { code }] = await Promise.all([textOf(child.stdout), textOf(child.stderr), child.exit]);
  if (code === 0) return output;
  throw code === NO_SERVER ? noServer() : failed(code, errors);
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > OUTPUT_MAX) throw failed(0, `more than ${OUTPUT_MAX} bytes of output`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function noServer(): SbxError {
  return new SbxError('not-found', 'the sandbox has no ssh server', {
    why: 'there is no program /usr/sbin/sshd inside',
    hint: 'add "openssh-server" to apt of [packages] in sandbox.toml, then run `sbx apply`',
  });
}

function failed(code: number, errors: string): SbxError {
  return new SbxError('guest-failed', 'the ssh server inside could not be prepared', {
    why: errors.trim() || `exit code ${code}`,
    hint: 'see `sbx logs --console`',
  });
}
