/** Resolves `[network]`: mode, bandwidth, rules for requests, and the lists, where a preset becomes its hosts. */
import { type Preset, presetOf } from '../../spec/network-pattern.ts';
import type { NetworkRule, SandboxSpec } from '../../spec/spec.ts';
import { parseSize } from '../../spec/units.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

const TOOLS: Record<Preset, string> = {
  npm: 'npm',
  apt: 'APT',
  pip: 'pip',
  cargo: 'Cargo',
  go: 'Go',
  maven: 'Maven',
  rubygems: 'RubyGems',
};
const BANDWIDTH_LEAST = 16 * 1024;

export async function networkOf(input: SandboxInput): Promise<SandboxSpec['network']> {
  const { mode = 'enforce', bandwidth, http = [] } = input.config.network ?? {};
  return {
    mode,
    allow: await rulesOf(input, 'allow'),
    deny: await rulesOf(input, 'deny'),
    ...(bandwidth === undefined ? {} : { bandwidth: bandwidthOf(input, bandwidth) }),
    http: http.map(({ host, methods = [], paths = [] }, index) => ({
      host,
      methods,
      paths,
      source: input.sources[`network.http[${index}]`] ?? 'default',
    })),
  };
}

async function rulesOf({ config, sources, host }: SandboxInput, kind: 'allow' | 'deny'): Promise<NetworkRule[]> {
  const rules: NetworkRule[] = [];
  for (const [index, text] of (config.network?.[kind] ?? []).entries()) {
    const source = sources[`network.${kind}[${index}]`] ?? 'default';
    const preset = presetOf(text);
    if (preset === undefined) {
      rules.push({ text, pattern: text.toLowerCase(), trusted: false, source });
      continue;
    }
    const hosts = (await host.registries()).hosts[preset];
    // A deny list that silently denies nothing would be worse than an error.
    if (hosts.length === 0)
      throw problem(source, `network.${kind}: ${text} has no hosts on this machine`, {
        why: `the ${TOOLS[preset]} configuration of this machine names no registry`,
        hint: 'configure a registry there, or write its host here',
      });
    rules.push(
      ...hosts.map((one) => ({ text, pattern: `${one.host}:${one.port}`, trusted: kind === 'allow', source })),
    );
  }
  return rules;
}

/** Below this, the overhead of a connection alone would stall it. */
function bandwidthOf({ sources }: SandboxInput, text: string): number {
  const bytes = parseSize(text) ?? 0;
  if (bytes >= BANDWIDTH_LEAST) return bytes;
  throw problem(sources['network.bandwidth'], `network.bandwidth: ${text} is too small`, {
    hint: 'write at least "16KiB", or remove the field for no limit',
  });
}
