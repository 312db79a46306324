/** Plans, asks for approval of widening changes, and applies: for `apply`, `run` and `exec --apply`. */
import { relative } from 'node:path';
import type { DaemonClient } from '../../api/client.ts';
import type { ApplyRequest, ApplyResult, PlanResponse } from '../../api/project-contract.ts';
import { shownFile } from '../../config/load/templates.ts';
import { explainChange, explainRequest } from '../../plan/explain.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import { confirmed } from './confirm.ts';
import type { SbxContext } from './context.ts';
import { follow } from './follow.ts';
import { projectAt } from './project.ts';
import { withTemplates } from './with-templates.ts';

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
  /** Also what is nowhere else may be lost */
  discard?: boolean;
  /** Gives existing sandboxes new disks */
  rebuild?: boolean;
}

/** @throws SbxError by the daemon: `refused-widening`, when widening changes are not accepted; `needs-confirmation`. `cancelled`: the user said no */
export async function applyProject(options: ApplyOptions): Promise<ApplyResult> {
  return withTemplates({ ...options, pin: true }, () => applyOnce(options));
}

async function applyOnce(options: ApplyOptions): Promise<ApplyResult> {
  const { context, client, view, cwd, only, yes, acceptWidening, discard = false, rebuild = false } = options;
  const request = {
    ...projectAt(context, cwd),
    ...(only.length === 0 ? {} : { only: [...only] }),
    ...(rebuild ? { rebuild } : {}),
  };
  const apply = (accepted: Partial<ApplyRequest>) =>
    confirmed({ view, yes, discard }, (consent) =>
      follow(view, 'applying sandbox.toml', (signal, onEvent) =>
        client.apply({ ...request, ...accepted, ...consent }, { signal, onEvent }),
      ),
    );
  const mayAsk = view.asks && !yes;
  // Without a question the daemon refuses what is not approved.
  if (!acceptWidening && !mayAsk) return apply({});
  const found = await client.plan(request);
  const declined = !acceptWidening && found.declined !== undefined;
  const accepted = !declined && (found.approved || acceptWidening || (mayAsk && (await askWidening(found, view, cwd))));
  return apply(accepted ? { acceptWidening: found.wideningHash } : {});
}

async function askWidening(found: PlanResponse, view: View, cwd: string): Promise<boolean> {
  const lines = found.widening.map((change) => `  ${inOneLine(explainRequest(change, shownIn(cwd)))}`);
  const title = found.first ? 'sandbox.toml asks for' : 'sandbox.toml asks for more than was approved';
  return (await view.confirm(`${title}:\n${lines.join('\n')}\nAllow it?`)) === true;
}

function shownIn(cwd: string): (file: string) => string {
  return (file) => shownFile(file, (path) => relative(cwd, path));
}

/** One line each, whatever the file says: a value with line feeds could pretend to be another line. */
export function linesOf(changes: PlanResponse['changes'], cwd: string): string[] {
  return changes.map((change) => inOneLine(explainChange(change, shownIn(cwd))));
}

export function noticeLines(notices: PlanResponse['notices']): string[] {
  return notices.map(({ message }) => inOneLine(`note: ${message}`));
}
