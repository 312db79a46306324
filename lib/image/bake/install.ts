/**
 * Installs packages in the guest of a running sandbox. The guest is hostile: it may hang, lie or speak without end, so what it says is bounded,
 * made plain, and decides nothing but the error's words. It gets no network by this: it fetches under its own policy.
 */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SbxError } from '../../errors.ts';
import type { GuestConnection, GuestProcess } from '../../guest/client/connection.ts';
import { within } from '../../system/deadline.ts';
import type { BakeStep } from './bake-script.ts';

export interface InstallOptions {
  /** The sandbox */
  name: string;
  env: Record<string, string>;
  onProgress: (message: string) => void;
  onLine: (line: string) => void;
  signal: AbortSignal;
  /** Lines that tell of a denied host, of this step and those before it: `apt-get update` succeeds all the same */
  denied: string[];
}

/** For one step: a large package under emulation takes minutes */
const STEP_MS = 60 * 60_000;
/** For package managers to end after SIGTERM; a guest may never say that they did */
const END_MS = 3_000;
const TAIL_LINES = 15;
/** As package managers show the answer of the egress proxy, or the lack of one */
const DENIED = /by sbx|\bsbx: \S+ is denied|name resolution|Could not resolve/i;
const DENIED_LINES = 3;
/** Of one step, that a client gets: it may not read them */
const LINES_MAX = 20_000;
/** Of reading, for each line: the daemon has other work */
const LINE_MS = 0.1;
/** In characters; the rest of a line is left out */
const LINE_MAX = 400;

/** @throws SbxError `install-failed` with the failing step and the end of its output. */
export async function installStep(
  guest: Pick<GuestConnection, 'exec'>,
  step: BakeStep,
  options: InstallOptions,
): Promise<void> {
  options.signal.throwIfAborted();
  options.onProgress(step.title);
  const env = { ...options.env, DEBIAN_FRONTEND: 'noninteractive', HOME: '/root' };
  const child = guest.exec({ argv: step.argv, cwd: '/', env, user: 'root', stdin: false });
  using limit = within(STEP_MS, options.signal);
  const onAbort = () => void endProcess(child);
  limit.addEventListener('abort', onAbort, { once: true });
  if (limit.aborted) onAbort();
  const tail: string[] = [];
  const failed = (how: string) => installFailed(step, { ...options, how, tail });
  let shown = 0;
  const keep = (line: string) => {
    shown += 1;
    if (shown <= LINES_MAX) options.onLine(line);
    if (DENIED.test(line) && options.denied.length < DENIED_LINES) options.denied.push(line);
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
  };
  try {
    const [{ code }] = await Promise.all([child.exit, follow(child.stdout, keep), follow(child.stderr, keep)]);
    if (code !== 0) throw failed(`it ended with exit code ${code}`);
  } catch (error) {
    options.signal.throwIfAborted();
    throw limit.aborted ? failed('it takes too long') : error;
  } finally {
    limit.removeEventListener('abort', onAbort);
  }
}

/** The disk may be used or flushed next: waits a little for the end of what writes to it. */
async function endProcess(child: GuestProcess): Promise<void> {
  child.kill('SIGTERM');
  const end = child.exit.catch(() => {});
  await Promise.race([end, sleep(END_MS, undefined, { ref: false })]);
  await child[Symbol.asyncDispose]();
}

/** Lines as short ASCII. One that never ends is cut, not collected. A program that writes more than is read waits. */
async function follow(stream: Readable, keep: (line: string) => void): Promise<void> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = `${rest}${chunk}`.split(/\r?\n|\r/);
    rest = (lines.pop() ?? '').slice(0, LINE_MAX);
    for (const line of lines) if (line !== '') keep(plain(line));
    await sleep(lines.length * LINE_MS);
  }
  if (rest !== '') keep(plain(rest));
}

function plain(line: string): string {
  return line.slice(0, LINE_MAX).replaceAll(/[^\x20-\x7e]/g, '?');
}

interface Failure extends Pick<InstallOptions, 'name' | 'denied'> {
  how: string;
  tail: string[];
}

function installFailed(step: BakeStep, { name, denied, how, tail }: Failure): SbxError {
  const at = step.path === undefined ? '' : `${step.path}: `;
  const before = denied.filter((line) => !tail.includes(line));
  const rebuild = `\`sbx apply --rebuild ${name}\` makes a new disk instead, with the network of image builds`;
  return new SbxError('install-failed', `${name} stays as it was: installing in it failed at ${at}${step.title}`, {
    why: `${how}; its last lines:\n${[...before, ...tail].map((line) => `  ${line}`).join('\n')}`,
    hint:
      denied.length > 0
        ? `the sandbox fetches under its own [network]: allow the host (\`sbx net log ${name}\`; preset:apt, preset:npm, preset:pip) and run \`sbx apply\`; or ${rebuild}`
        : `correct [packages] and run \`sbx apply\`, which tries again; or ${rebuild}`,
  });
}
