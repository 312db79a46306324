/** Refuses a spec that the engine cannot provide. Pure. */
import type { Capability, Engine } from '../../engine/engine.ts';
import { SbxError } from '../../errors.ts';
import type { SandboxSpec } from '../../spec/spec.ts';

const USES: Record<Capability, (spec: SandboxSpec) => boolean> = {
  'lifecycle.pool': ({ lifecycle }) => lifecycle.pool > 0,
  mounts: ({ mounts }) => mounts.length > 0,
  credentials: ({ credentials }) => credentials.length > 0,
  ports: ({ ports = [] }) => ports.length > 0,
  'network.http': ({ network }) => network.http.length > 0,
};

/** @throws SbxError `config-unsupported` */
export function checkCapabilities({ capabilities }: Pick<Engine, 'capabilities'>, specs: SandboxSpec[]): void {
  for (const spec of specs)
    for (const [capability, uses] of Object.entries(USES) as [Capability, (spec: SandboxSpec) => boolean][]) {
      if (!uses(spec) || capabilities.has(capability)) continue;
      const source = spec.sources[capability] ?? 'default';
      throw new SbxError('config-unsupported', `${capability} is not supported by this engine`, {
        hint: `remove it from the file; it is set for ${spec.name}`,
        ...(source === 'default' ? {} : { place: source }),
      });
    }
}
