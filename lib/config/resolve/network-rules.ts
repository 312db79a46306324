/** Resolves the entries of the network lists; a preset becomes its hosts. */
import { presetOf } from '../../spec/network-pattern.ts';
import type { NetworkRule } from '../../spec/spec.ts';
import { problem } from './problem.ts';
import type { SandboxInput } from './sandbox-input.ts';

const TOOLS = { npm: 'npm', apt: 'APT', pip: 'pip' };

export async function rulesOf({ config, sources, host }: SandboxInput, kind: 'allow' | 'deny'): Promise<NetworkRule[]> {
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
