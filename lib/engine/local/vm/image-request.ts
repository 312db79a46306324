/** Translates a spec into the request for its image. Pure. */
import type { ImageRequest, PackageLists } from '../../../image/store/image-build.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';

export function imageRequestOf(spec: SandboxSpec, env: Record<string, string>): ImageRequest {
  const [packages, agentPackages] = splitPackages(spec);
  return {
    base: spec.image.base,
    packages,
    agentPackages,
    agentFiles: spec.agent.files ?? {},
    docker: spec.docker !== undefined,
    ...spec.resources,
    env,
  };
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
