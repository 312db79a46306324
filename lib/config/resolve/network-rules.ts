/** Entries of the network lists, presets expanded to the hosts they stand for. */
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
      throw problem(source, `network.${kind}: ${text} names no host on this machine`, {
        why: `the machine's own configuration of ${TOOLS[preset]} names none`,
        hint: 'configure it there, or write the host itself here',
      });
    rules.push(
      ...hosts.map((one) => ({ text, pattern: `${one.host}:${one.port}`, trusted: kind === 'allow', source })),
    );
  }
  return rules;
}
