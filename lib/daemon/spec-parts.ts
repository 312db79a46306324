/** Parts of a spec in the words of the layers below: pure. */
import type { NetworkRule, SandboxSpec, Source } from '../config/spec.ts';
import type { PolicyInput, PolicyRule } from '../gateway/types.ts';
import type { PackageLists } from '../image/bake-script.ts';
import type { ImageRequest } from '../image/image-build.ts';

export interface Registries {
  npm?: string | undefined;
  pip?: string | undefined;
}

export function policyOf(spec: SandboxSpec): PolicyInput {
  return {
    mode: spec.network.mode,
    ...(spec.network.bandwidth === undefined ? {} : { bandwidth: spec.network.bandwidth }),
    allow: spec.network.allow.map(ruleOf),
    deny: spec.network.deny.map(ruleOf),
    ...(spec.network.http.length === 0
      ? {}
      : {
          http: spec.network.http.map(({ host, methods, paths, source }) => ({
            host,
            methods,
            paths,
            ...placeOf(source),
          })),
        }),
  };
}

function ruleOf(rule: NetworkRule): PolicyRule {
  return { pattern: rule.pattern, text: rule.text, trusted: rule.trusted, ...placeOf(rule.source) };
}

function placeOf(source: Source): { file?: string; line?: number } {
  return source === 'default' ? {} : { file: source.file, line: source.line };
}

export function imageRequestOf(spec: SandboxSpec, env: Record<string, string>): ImageRequest {
  const [packages, agentPackages] = splitPackages(spec);
  return {
    base: spec.image.base,
    packages,
    agentPackages,
    agentFiles: spec.agent.files ?? {},
    ...spec.resources,
    env,
  };
}

/** Every file that the spec was read from: sandbox.toml and the templates of the project. */
export function configFilesOf(spec: SandboxSpec): string[] {
  return [...new Set(Object.values(spec.sources).flatMap((source) => (source === 'default' ? [] : [source.file])))];
}

/** What the agent's template asks for is a layer of its own, above the project's: known by where each entry stands. */
function splitPackages(spec: SandboxSpec): [PackageLists, PackageLists] {
  const project: PackageLists = { apt: [], npm: [], pip: [], setup: [] };
  const agent: PackageLists = { apt: [], npm: [], pip: [], setup: [] };
  const { template } = spec.agent;
  for (const kind of ['apt', 'npm', 'pip', 'setup'] as const) {
    spec.packages[kind].forEach((entry, index) => {
      const source = spec.sources[`packages.${kind}[${index}]`];
      const fromAgent = source !== undefined && source !== 'default' && source.file === template;
      (fromAgent ? agent : project)[kind].push(entry);
    });
  }
  return [project, agent];
}
