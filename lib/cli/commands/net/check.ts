/** net check. */
import { SbxError } from '../../../errors.ts';
import { command } from '../../command/command.ts';
import { readProject } from '../../command/project.ts';

export const check = command<{ sandbox?: string; method?: string }, [string]>({
  brief: 'Says what would happen to a request, with the rule, without making it',
  parameters: {
    flags: {
      sandbox: { kind: 'parsed', parse: String, brief: 'The sandbox; default: the only one', optional: true },
      method: { kind: 'parsed', parse: String, brief: 'HTTP method; default: GET', optional: true },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ parse: String, brief: 'host, host:port or URL', placeholder: 'where' }],
    },
  },
  async run({ context, cwd, view, flags, args }) {
    const { compilePolicy } = await import('../../../gateway/policy/policy.ts');
    const { checkUrl } = await import('../../../gateway/policy/explain.ts');
    const { livePolicy, readGrants } = await import('../../../state/grants.ts');
    const { instanceId } = await import('../../../state/ids.ts');
    const project = await readProject(context, cwd);
    const spec =
      flags.sandbox === undefined ? project.sandboxes[0] : project.sandboxes.find(({ name }) => name === flags.sandbox);
    if (spec === undefined)
      throw new SbxError('not-found', `sandbox.toml names no sandbox "${flags.sandbox}"`, {
        why: `it names ${project.sandboxes.map(({ name }) => name).join(', ')}`,
        hint: 'name one of them',
      });
    const grants = readGrants(context.home, instanceId(project.dir, spec.name));
    const verdict = checkUrl(compilePolicy(livePolicy(spec, grants)), args[0], flags.method);
    if (verdict === undefined)
      throw new SbxError('usage', `${args[0]} is no host that a request could name`, {
        hint: 'write host, host:port, or an http(s) address',
      });
    const word = verdict.allow ? 'allowed' : 'denied';
    view.result(
      { sandbox: spec.name, ...verdict },
      `${verdict.host}:${verdict.port} is ${word}: ${verdict.detail}\n${verdict.hint}`,
    );
    return verdict.allow ? 0 : 4;
  },
});
