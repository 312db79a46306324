/** What `sbx apply` asks before it sends its request, and what it sends. */
import { expect, test } from 'vitest';
import type { DaemonClient } from '../../../../lib/api/client.ts';
import type { ApplyRequest, PlanResponse } from '../../../../lib/api/contract.ts';
import { type ApplyOptions, applyProject } from '../../../../lib/cli/command/apply-project.ts';
import type { SbxContext } from '../../../../lib/cli/command/context.ts';
import type { View } from '../../../../lib/cli/view/types.ts';

const LOSS = { sandbox: 'shop', kind: 'session', message: 'shop: ends a session\u001b[2J of claude' } as const;

interface Asked {
  /** What is done without the repository, which was declined before */
  declined?: Pick<PlanResponse, 'losses'>;
  losses?: PlanResponse['losses'];
  /** Undefined: no terminal */
  answer?: boolean;
  options?: Partial<Pick<ApplyOptions, 'yes' | 'acceptWidening'>>;
}

async function applied({ losses = [], declined, answer, options = {} }: Asked) {
  const sent: Partial<ApplyRequest>[] = [];
  const questions: string[] = [];
  const client = {
    plan: async () => ({ approved: declined === undefined, declined, losses, wideningHash: 'h', widening: [] }),
    apply: async ({ cwd: _, env: __, ...rest }: ApplyRequest) => void sent.push(rest),
  } as unknown as DaemonClient;
  const view = {
    asks: answer !== undefined,
    confirm: async (question: string) => {
      questions.push(question);
      return answer;
    },
  } as unknown as View;
  const context = { process: { env: {} } } as unknown as SbxContext;
  const failure = await applyProject({
    ...{ context, client, view, cwd: '/', only: [], yes: false, acceptWidening: false },
    ...options,
  }).then(
    () => undefined,
    (error: { code: string }) => error.code,
  );
  return { sent, questions, failure };
}

test('without a terminal nothing is agreed to but by --yes: the daemon refuses', async () => {
  expect((await applied({ losses: [LOSS] })).sent).toEqual([{}]);
  expect((await applied({ losses: [LOSS], options: { acceptWidening: true } })).sent).toEqual([
    { acceptWidening: 'h' },
  ]);
  expect((await applied({ losses: [LOSS], options: { yes: true } })).sent).toEqual([{ confirmed: true }]);
});

test('on a terminal what is lost is shown and asked', async () => {
  const yes = await applied({ losses: [LOSS], answer: true });
  expect(yes.questions).toEqual([expect.stringContaining('shop: ends a session\\u{1b}[2J of claude')]);
  expect(yes.sent).toEqual([{ acceptWidening: 'h', confirmed: true }]);
  const no = await applied({ losses: [LOSS], answer: false });
  expect([no.sent, no.failure]).toEqual([[], 'cancelled']);
});

test('where nothing was to be lost, nothing is agreed to: a session may begin meanwhile', async () => {
  const { sent, questions } = await applied({ answer: true });
  expect([sent, questions]).toEqual([[{ acceptWidening: 'h' }], []]);
});

test('what was declined is not asked again, unless it is accepted now', async () => {
  const again = await applied({ declined: { losses: [] }, losses: [LOSS], answer: true });
  expect([again.questions, again.sent]).toEqual([[], [{}]]);
  const lost = await applied({ declined: { losses: [LOSS] }, answer: true });
  expect([lost.questions.length, lost.sent]).toEqual([1, [{ confirmed: true }]]);
  const accepted = await applied({ declined: { losses: [] }, answer: true, options: { acceptWidening: true } });
  expect(accepted.sent).toEqual([{ acceptWidening: 'h' }]);
});
