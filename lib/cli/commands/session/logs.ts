/** `sbx logs`: shows the output of the agent from the sandbox; that of the console, the bake and the daemon from files, without a running VM. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxDetail } from '../../../api/sandbox-status.ts';
import { SbxError } from '../../../errors.ts';
import type { Run } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { type LogFlags, showLog } from '../../command/log-file.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { showAgentLog } from '../../run/agent-log.ts';

interface Flags extends LogFlags {
  session?: number;
  raw: boolean;
  console: boolean;
  bake: boolean;
  daemon: boolean;
}

export async function logs({ context, cwd, view, flags, args }: Run<Flags, [string?]>): Promise<number> {
  if (flags.daemon) return showLog(context.home.daemon.log, flags, view);
  if (flags.bake && args[0] === undefined) return showLog(newestBake(context), flags, view);
  const client = await daemonOf(context);
  const sandbox = await resolveSandbox(client, cwd, args[0]);
  if (!flags.console && !flags.bake) {
    const { follow, lines, session, raw } = flags;
    return showAgentLog({ client, sandbox }, { follow, lines, session, raw }, view);
  }
  const detail = await client.inspect(sandbox.id);
  return showLog(flags.bake ? bakeOf(context, detail) : join(detail.instanceDir, 'console.log'), flags, view);
}

function bakeOf(context: SbxContext, detail: SandboxDetail): string {
  const layer = detail.layers.findLast(({ kind }) => kind === 'agent' || kind === 'packages');
  return join(context.home.root, 'logs', `${layer?.kind ?? 'packages'}-${layer?.key ?? 'none'}.log`);
}

/** Finds also the log of a bake that failed before its sandbox existed. */
function newestBake(context: SbxContext): string {
  const dir = join(context.home.root, 'logs');
  const files = (statSync(dir, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(dir)).map((name) =>
    join(dir, name),
  );
  const newest = files.toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  if (newest === undefined)
    throw new SbxError('not-found', 'no bake log exists yet', {
      why: `${dir} has no log`,
      hint: 'run `sbx apply`: it bakes the image of sandbox.toml',
    });
  return newest;
}
