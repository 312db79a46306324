/** What `sbx apply` asks before it sends its request, and what it sends. */
import { expect, test } from 'vitest';
import type { DaemonClient } from '../../../../lib/api/client.ts';
import type { ApplyRequest, PlanResponse } from '../../../../lib/api/project-contract.ts';
import { type ApplyOptions, applyProject } from '../../../../lib/cli/command/apply-project.ts';
import type { SbxContext } from '../../../../lib/cli/command/context.ts';
import type { View } from '../../../../lib/cli/view/types.ts';
import { templatesDir } from '../../../../lib/config/load/templates.ts';
import { type Loss, refuseLosses } from '../../../../lib/plan/loss.ts';

const LOSS: Loss = { sandbox: 'shop', kind: 'session', message: 'shop: ends a session\u001b[2J of claude' };
const WORK: Loss = { sandbox: 'shop', kind: 'private-files', message: 'shop: loses private files: 1 (.envrc)' };

interface Asked {
  /** What is done without the repository, which was declined before */
  declined?: Pick<PlanResponse, 'losses'>;
  losses?: PlanResponse['losses'];
  /** Needs approval */
  found?: Partial<Pick<PlanResponse, 'first' | 'widening' | 'approved'>>;
  /** Undefined: no terminal */
  answer?: boolean;
  options?: Partial<Pick<ApplyOptions, 'yes' | 'discard' | 'acceptWidening'>>;
}

async function applied({ losses = [], answer, options = {}, found = {}, declined }: Asked) {
  const sent: Partial<ApplyRequest>[] = [];
  const questions: string[] = [];
  const client = {
    plan: async () => ({
      ...{ approved: declined === undefined, declined, losses, wideningHash: 'h', widening: [] },
      ...found,
    }),
    apply: async ({ cwd: _, env: __, ...rest }: ApplyRequest) => {
      refuseLosses(rest.acceptWidening === undefined && declined ? declined.losses : losses, rest);
      sent.push(rest);
    },
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

test('without a terminal nothing is agreed to but by the flags: the daemon refuses', async () => {
  const refused = { sent: [], failure: 'needs-confirmation' };
  expect(await applied({ losses: [LOSS] })).toMatchObject(refused);
  expect(await applied({ losses: [LOSS], options: { acceptWidening: true, discard: true } })).toMatchObject(refused);
  expect((await applied({ losses: [LOSS], options: { yes: true } })).sent).toEqual([{ confirmed: true }]);
});

test('--yes alone does not agree that what is nowhere else is lost', async () => {
  expect((await applied({ losses: [LOSS, WORK], options: { yes: true } })).failure).toBe('needs-confirmation');
  const { sent } = await applied({ losses: [LOSS, WORK], options: { yes: true, discard: true } });
  expect(sent).toEqual([{ confirmed: true, discard: true }]);
});

test('on a terminal what is lost is shown and asked; a yes agrees to all that was named', async () => {
  const yes = await applied({ losses: [LOSS, WORK], answer: true });
  expect(yes.questions).toEqual([expect.stringMatching(/shop: ends a session\\u\{1b\}\[2J of claude; .*\.envrc/)]);
  expect(yes.sent).toEqual([{ acceptWidening: 'h', confirmed: true, discard: true }]);
  const no = await applied({ losses: [LOSS], answer: false });
  expect([no.sent, no.failure]).toEqual([[], 'cancelled']);
});

test('where nothing was to be lost, nothing is agreed to: a session may begin meanwhile', async () => {
  const { sent, questions } = await applied({ answer: true });
  expect([sent, questions]).toEqual([[{ acceptWidening: 'h' }], []]);
});

const ASKED = {
  sandbox: 'shop',
  path: 'network.allow',
  from: null,
  to: ['a.test'],
  effect: 'create',
  widens: true,
  source: { file: `${templatesDir()}/claude.toml`, line: 26, column: 1 },
} as const satisfies PlanResponse['widening'][number];

test.each([
  [true, 'sandbox.toml asks for:\n'],
  [false, 'sandbox.toml asks for more than was approved:\n'],
])('the first apply (%s) names what is asked, each with its line, and templates by name', async (first, title) => {
  const found = { first, approved: false, widening: [ASKED] };
  const { questions, sent } = await applied({ found, answer: true });
  expect(questions).toEqual([`${title}  shop: network.allow: + a.test (template claude:26)\nAllow it?`]);
  expect(sent).toEqual([{ acceptWidening: 'h' }]);
});

test('what was declined is not asked again, unless it is accepted now', async () => {
  const again = await applied({ declined: { losses: [] }, losses: [LOSS], answer: true });
  expect([again.questions, again.sent]).toEqual([[], [{}]]);
  const lost = await applied({ declined: { losses: [LOSS] }, answer: true });
  expect([lost.questions.length, lost.sent]).toEqual([1, [{ confirmed: true, discard: true }]]);
  const accepted = await applied({ declined: { losses: [] }, answer: true, options: { acceptWidening: true } });
  expect(accepted.sent).toEqual([{ acceptWidening: 'h' }]);
});
