/** Translates a spec into the request for its image. Pure. */
import { withImageEnvironment } from '../../../image/bake/image-environment.ts';
import type { ImageRequest, PackageLists } from '../../../image/store/image-build.ts';
import { pinnedReference } from '../../../registry/reference.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';

export function imageRequestOf(spec: SandboxSpec, env: Record<string, string>): ImageRequest {
  const [packages, agentPackages] = splitPackages(spec);
  return {
    base: pinned(spec.image),
    packages,
    agentPackages,
    agentFiles: spec.agent.files ?? {},
    docker: spec.docker !== undefined,
    ...spec.resources,
    env: withImageEnvironment(env, spec.image.env),
  };
}

/** A tag may move: an image is what it was when the sandbox was planned. */
function pinned({ base, digest }: SandboxSpec['image']): string {
  return digest === undefined ? base : `oci:${pinnedReference(base.slice('oci:'.length), digest)}`;
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
