/** `sbx plan`: shows what apply would do, and why. */
import type { PlanResponse } from '../../../api/project-contract.ts';
import { flagsFor } from '../../../plan/loss.ts';
import { linesOf, noticeLines } from '../../command/apply-project.ts';
import type { Run } from '../../command/command.ts';
import { lossLines } from '../../command/confirm.ts';
import { daemonOf, projectAt } from '../../command/project.ts';
import { withTemplates } from '../../command/with-templates.ts';
import type { View } from '../../view/types.ts';

/** Of `--exit-code` */
const CHANGES_FOUND = 3;

export async function plan({
  context,
  cwd,
  view,
  flags,
  args,
}: Run<{ exitCode: boolean; rebuild: boolean }, string[]>): Promise<number> {
  const client = await daemonOf(context);
  const whole = await withTemplates({ context, cwd, view, pin: false }, () =>
    client.plan({
      ...projectAt(context, cwd),
      ...(args.length === 0 ? {} : { only: [...args] }),
      ...(flags.rebuild && { rebuild: true }),
    }),
  );
  const found = { ...whole, ...whole.declined };
  view.result(found, describe(found, { cwd, loud: view.loud }));
  return flags.exitCode && found.steps.length > 0 ? CHANGES_FOUND : 0;
}

function describe(found: PlanResponse, { cwd, loud }: { cwd: string; loud: View['loud'] }): string {
  const notices = noticeLines(found.notices);
  if (found.steps.length === 0) return ['nothing to do', ...notices].join('\n');
  return [
    ...linesOf(found.changes, cwd),
    `steps: ${found.steps.map(({ sandbox, action }) => `${action} ${sandbox}`).join(', ')}`,
    ...lossLines(found.losses).map((line) => loud(`LOST: ${line}`)),
    ...(found.losses.length === 0
      ? []
      : [`\`sbx apply\` asks before this is lost, or takes ${flagsFor(found.losses)}`]),
    ...(found.approved || found.declined !== undefined
      ? []
      : [
          found.first
            ? 'nothing of this file was approved yet: `sbx apply` asks for what is marked WIDENS, or takes --accept-widening'
            : 'some changes WIDEN what a sandbox may do: `sbx apply` asks for approval, or takes --accept-widening',
        ]),
    ...notices,
  ].join('\n');
}
