/** logs: what the agent said, from the sandbox itself; the console, the bake, the daemon, from files that are there also when nothing runs. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxDetail } from '../../../api/contract.ts';
import { SbxError } from '../../../errors.ts';
import { command, maybeName, parseCount } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { readLines } from '../../command/follow-file.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { showAgentLog } from '../../run/agent-log.ts';
import type { View } from '../../view/types.ts';

const FOLLOW = {
  follow: { kind: 'boolean', brief: 'Go on as lines come', default: false },
  lines: { kind: 'parsed', parse: parseCount, brief: 'Only the last lines', optional: true },
};

export const logs = command<
  { follow: boolean; lines?: number; session?: number; raw: boolean; console: boolean; bake: boolean; daemon: boolean },
  [string?]
>({
  brief: 'Shows what the agent of a sandbox said; or the console, the bake, the daemon',
  parameters: {
    flags: {
      ...FOLLOW,
      session: { kind: 'parsed', parse: parseCount, brief: 'An earlier session of the agent', optional: true },
      raw: { kind: 'boolean', brief: 'Every byte, also those that steer a terminal', default: false },
      console: { kind: 'boolean', brief: 'The console of the virtual machine', default: false },
      bake: { kind: 'boolean', brief: 'The output of the last bake', default: false },
      daemon: { kind: 'boolean', brief: 'The daemon', default: false },
    },
    aliases: { f: 'follow', n: 'lines' },
    positional: maybeName(),
  },
  async run({ context, cwd, view, flags, args }) {
    if (flags.daemon) return show(context.home.daemon.log, flags, view);
    if (flags.bake && args[0] === undefined) return show(newestBake(context), flags, view);
    const client = await daemonOf(context);
    const sandbox = await resolveSandbox(client, cwd, args[0]);
    if (!flags.console && !flags.bake) {
      const { follow, lines, session, raw } = flags;
      return showAgentLog(client, sandbox, { follow, lines, session, raw }, view);
    }
    const detail = await client.inspect(sandbox.id);
    return show(flags.bake ? bakeOf(context, detail) : join(detail.instanceDir, 'console.log'), flags, view);
  },
});

export const daemonLogs = command<{ follow: boolean; lines?: number }>({
  brief: 'Shows the log of the daemon',
  parameters: { flags: FOLLOW, aliases: { f: 'follow', n: 'lines' } },
  run: async ({ context, view, flags }) => show(context.home.daemon.log, flags, view),
});

async function show(path: string, flags: { follow: boolean; lines?: number }, view: View): Promise<number> {
  if (statSync(path, { throwIfNoEntry: false }) === undefined && !flags.follow)
    throw new SbxError('not-found', 'there is no such log yet', {
      why: `${path} does not exist`,
      hint: 'it is written by the first `sbx apply`',
    });
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  for await (const line of readLines(path, { last: flags.lines, follow: flags.follow, signal: abort.signal }))
    view.line({ line }, line);
  return 0;
}

function bakeOf(context: SbxContext, detail: SandboxDetail): string {
  const layer = detail.layers.findLast(({ kind }) => kind === 'agent' || kind === 'packages');
  return join(context.home.root, 'logs', `${layer?.kind ?? 'packages'}-${layer?.key ?? 'none'}.log`);
}

/** Also of a bake that failed before there was a sandbox. */
function newestBake(context: SbxContext): string {
  const dir = join(context.home.root, 'logs');
  const files = (statSync(dir, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(dir)).map((name) =>
    join(dir, name),
  );
  const newest = files.toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined)
    throw new SbxError('not-found', 'nothing was baked yet', {
      why: `${dir} holds no log`,
      hint: 'run `sbx apply`: it bakes what sandbox.toml asks for',
    });
  return newest;
}
