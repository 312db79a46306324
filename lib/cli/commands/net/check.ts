/** `sbx net check`: shows the verdict on a request without making it. */
import { SbxError } from '../../../errors.ts';
import { checkUrl } from '../../../gateway/policy/explain.ts';
import { compilePolicy } from '../../../gateway/policy/policy.ts';
import type { ProjectSpec, SandboxSpec } from '../../../spec/spec.ts';
import { livePolicy, readGrants } from '../../../state/grants.ts';
import { instanceId } from '../../../state/ids.ts';
import type { Run } from '../../command/command.ts';
import { readProject } from '../../command/project.ts';

type Input = Run<{ sandbox?: string; method?: string }, [string]>;

/** Exit code of a denied request */
const DENIED = 4;

export async function check({ context, cwd, view, flags, args }: Input): Promise<number> {
  const project = await readProject(context, cwd);
  const spec = specOf(project, flags.sandbox);
  const grants = readGrants(context.home, instanceId(project.dir, spec.name));
  const verdict = checkUrl(compilePolicy(livePolicy(spec, grants)), args[0], flags.method);
  if (verdict === undefined)
    throw new SbxError('usage', `invalid host: ${args[0]}`, {
      hint: 'write host, host:port, or an http(s) URL',
    });
  const word = verdict.allow ? 'allowed' : 'denied';
  view.result(
    { sandbox: spec.name, ...verdict },
    `${verdict.host}:${verdict.port} is ${word}: ${verdict.detail}\n${verdict.hint}`,
  );
  return verdict.allow ? 0 : DENIED;
}

function specOf({ sandboxes }: ProjectSpec, wanted: string | undefined): SandboxSpec {
  const spec = wanted === undefined ? sandboxes[0] : sandboxes.find(({ name }) => name === wanted);
  if (spec !== undefined) return spec;
  throw new SbxError('not-found', `sandbox.toml has no sandbox "${wanted}"`, {
    why: `its sandboxes are ${sandboxes.map(({ name }) => name).join(', ')}`,
    hint: 'name one of them',
  });
}
