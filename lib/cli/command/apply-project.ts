/** Plans, asks for approval of widening changes, and applies: for `apply`, `run` and `exec --apply`. */
import { relative } from 'node:path';
import type { DaemonClient } from '../../api/client.ts';
import type { ApplyRequest, ApplyResult, PlanResponse } from '../../api/contract.ts';
import { SbxError } from '../../errors.ts';
import { explainChange } from '../../plan/explain.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import type { SbxContext } from './context.ts';
import { follow } from './follow.ts';
import { projectAt } from './project.ts';

export interface ApplyOptions {
  context: SbxContext;
  client: DaemonClient;
  view: View;
  cwd: string;
  /** Sandboxes to restrict to */
  only: readonly string[];
  /** Asks nothing: disks may be lost and sessions end, widening changes are refused */
  yes: boolean;
  acceptWidening: boolean;
  /** Also removes work in clones that was never fetched */
  discard?: boolean;
}

/** @throws SbxError by the daemon: `refused-widening`, when widening changes are not accepted; `needs-confirmation`. `cancelled`: the user said no */
export async function applyProject(options: ApplyOptions): Promise<ApplyResult> {
  const { context, client, view, cwd, only, yes, acceptWidening, discard = false } = options;
  const request = { ...projectAt(context, cwd), ...(only.length === 0 ? {} : { only: [...only] }) };
  const removal = discard ? { discard } : {};
  const apply = (accepted: Partial<ApplyRequest>) =>
    follow(view, 'applying sandbox.toml', (signal, onEvent) =>
      client.apply({ ...request, ...removal, ...accepted }, { signal, onEvent }),
    );
  const mayAsk = view.asks && !yes;
  // Without a question the daemon refuses what is not approved.
  if (!acceptWidening && !mayAsk) return apply(yes ? { confirmed: true } : {});
  const found = await client.plan(request);
  const declined = acceptWidening ? undefined : found.declined;
  const isAsked = !found.approved && !acceptWidening && declined === undefined;
  const accepted = declined === undefined && (!isAsked || (mayAsk && (await askWidening(found, view, cwd))));
  const isSettled = accepted || declined !== undefined;
  const confirmed = yes || (isSettled && mayAsk && (await askLosses(declined ?? found, view)));
  return apply({ ...(accepted ? { acceptWidening: found.wideningHash } : {}), ...(confirmed ? { confirmed } : {}) });
}

/** False: nothing is lost, so nothing was asked. @throws SbxError `cancelled` */
async function askLosses({ losses }: Pick<PlanResponse, 'losses'>, view: View): Promise<boolean> {
  if (losses.length === 0) return false;
  const lines = lossLines(losses).map((line) => `  ${line}`);
  if ((await view.confirm(`This cannot be undone:\n${lines.join('\n')}\nContinue?`)) !== true)
    throw new SbxError('cancelled', 'cancelled: nothing was changed');
  return true;
}

export function lossLines(losses: PlanResponse['losses']): string[] {
  return losses.map(({ message }) => inOneLine(message));
}

async function askWidening(found: PlanResponse, view: View, cwd: string): Promise<boolean> {
  const lines = linesOf(found.widening, cwd).map((line) => `  ${line}`);
  return (await view.confirm(`sandbox.toml asks for more than was approved:\n${lines.join('\n')}\nAllow it?`)) === true;
}

/** One line each, whatever the file says: a value with line feeds could pretend to be another line. */
export function linesOf(changes: PlanResponse['changes'], cwd: string): string[] {
  return changes.map((change) => inOneLine(explainChange(change, (file) => relative(cwd, file))));
}

export function noticeLines(notices: PlanResponse['notices']): string[] {
  return notices.map(({ message }) => inOneLine(`note: ${message}`));
}
