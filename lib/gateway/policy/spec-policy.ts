/** Translates the network rules of a spec into the gateway's policy input. Pure. */
import type { NetworkRule, SandboxSpec, Source } from '../../spec/spec.ts';
import { mcpRule, serviceRule, signerRule } from './services.ts';
import type { PolicyInput, PolicyRule } from './types.ts';

export function policyOf(spec: SandboxSpec): PolicyInput {
  return {
    mode: spec.network.mode,
    ...(spec.network.bandwidth === undefined ? {} : { bandwidth: spec.network.bandwidth }),
    allow: [
      ...spec.network.allow.map(ruleOf),
      ...servicesOf(spec),
      ...signerOf(spec),
      ...(spec.mcp ?? []).slice(0, 1).map(mcpRule),
    ],
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

function servicesOf({ services = [], workspace, mounts }: SandboxSpec): PolicyRule[] {
  const { path, repository } = workspace;
  const guestFolders = [path, ...(repository === undefined ? [] : [repository]), ...mounts.map(({ host }) => host)];
  return services.map((service) => serviceRule(service, guestFolders));
}

function signerOf({ git, sources }: SandboxSpec): PolicyRule[] {
  return git === undefined ? [] : [signerRule(sources['git.sign'] ?? 'default')];
}

function ruleOf(rule: NetworkRule): PolicyRule {
  return { pattern: rule.pattern, text: rule.text, trusted: rule.trusted, ...placeOf(rule.source) };
}

function placeOf(source: Source): { file?: string; line?: number } {
  return source === 'default' ? {} : { file: source.file, line: source.line };
}
