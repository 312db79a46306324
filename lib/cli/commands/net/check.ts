/** `sbx net check`: shows the verdict on a request without making it. */
import { SbxError } from '../../../errors.ts';
import { checkUrl, type Explanation } from '../../../gateway/policy/explain.ts';
import { compilePolicy } from '../../../gateway/policy/policy.ts';
import { withOrganisation } from '../../../organisation/check-project.ts';
import { readOrganisation } from '../../../organisation/policy-file.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import { livePolicy, readLive } from '../../../state/grants.ts';
import { instanceId } from '../../../state/ids.ts';
import { readInstance } from '../../../state/records.ts';
import type { Run } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { daemonOf, readProject, resolveSandbox } from '../../command/project.ts';

type Input = Run<{ sandbox?: string; method?: string }, [string, string?]>;

/** Exit code of a denied request */
const DENIED = 4;

export async function check({ context, cwd, view, flags, args }: Input): Promise<number> {
  const [first, second] = args;
  const where = second ?? first;
  const name = second === undefined ? flags.sandbox : first;
  const asked = second === undefined ? await askedHere(context, cwd, name) : await askedByName(context, cwd, first);
  const verdictOf = (spec: SandboxSpec) => verdictOn({ context, spec, id: asked.id, where, method: flags.method });
  const inFile = asked.file === undefined ? undefined : verdictOf(asked.file);
  const verdict = asked.applied === undefined ? inFile : verdictOf(asked.applied);
  if (verdict === undefined) throw missing(name);
  const differs =
    inFile !== undefined &&
    (inFile.allow !== verdict.allow || withoutPlaces(inFile.detail) !== withoutPlaces(verdict.detail));
  const file = differs ? { file: { allow: inFile.allow, detail: inFile.detail } } : {};
  const note = differs
    ? `\nsandbox.toml differs: ${wordFor(inFile)}: ${inFile.detail}. To put it into force, run: sbx apply`
    : '';
  view.result(
    { sandbox: asked.name, ...verdict, ...file },
    `${verdict.host}:${verdict.port} is ${wordFor(verdict)}: ${verdict.detail}\n${verdict.hint}${note}`,
  );
  return verdict.allow ? 0 : DENIED;
}

interface Asked {
  name: string;
  id: string;
  /** What was approved, and is in force; undefined: it was never applied */
  applied: SandboxSpec | undefined;
  /** What the file says now; undefined: it does not name the sandbox, or cannot be read */
  file: SandboxSpec | undefined;
}

/** By the file of the working directory, without a daemon. */
async function askedHere(context: SbxContext, cwd: string, wanted: string | undefined): Promise<Asked> {
  const { dir, sandboxes } = await readProject(context, cwd);
  const file = wanted === undefined ? sandboxes[0] : sandboxes.find(({ name }) => name === wanted);
  const name = file?.name ?? wanted ?? '';
  const id = instanceId(dir, name);
  const applied = readInstance(context.home, id)?.applied ?? undefined;
  if (file !== undefined || applied !== undefined) return { name, id, applied, file };
  throw new SbxError('not-found', `sandbox.toml has no sandbox "${wanted}"`, {
    why: `its sandboxes are ${sandboxes.map((one) => one.name).join(', ')}`,
    hint: 'name one of them',
  });
}

/** Any sandbox, also of another project. */
async function askedByName(context: SbxContext, cwd: string, wanted: string): Promise<Asked> {
  const own = await askedHere(context, cwd, wanted).catch(() => undefined);
  if (own !== undefined) return own;
  const { id, name, projectDir } = await resolveSandbox(await daemonOf(context), cwd, wanted);
  const project = await readProject(context, projectDir).catch(() => undefined);
  const applied = readInstance(context.home, id)?.applied ?? undefined;
  return { name, id, applied, file: project?.sandboxes.find((one) => one.name === name) };
}

interface Question {
  context: SbxContext;
  spec: SandboxSpec;
  id: string;
  where: string;
  method: string | undefined;
}

function verdictOn({ context, spec, id, where, method }: Question): Explanation {
  const policy = compilePolicy(withOrganisation(livePolicy(spec, readLive(context.home, id)), readOrganisation()));
  const verdict = checkUrl(policy, where, method);
  if (verdict !== undefined) return verdict;
  throw new SbxError('usage', `invalid host: ${where}`, { hint: 'write host, host:port, or an http(s) URL' });
}

/** Lines that moved in the file change nothing. */
function withoutPlaces(detail: string): string {
  return detail.replaceAll(/ \([^()]*:\d+\)/g, '');
}

function wordFor({ allow }: Pick<Explanation, 'allow'>): string {
  return allow ? 'allowed' : 'denied';
}

function missing(name: string | undefined): SbxError {
  return new SbxError('not-found', `the sandbox ${name ?? ''} was never applied, and no file names it`, {
    hint: 'run `sbx apply`',
  });
}
