/** What the commands of a sandbox find in their environment: of the host, of the file, and stand-ins for secrets. */
import type { SandboxSpec } from '../config/spec.ts';
import { guestEnvironment } from '../image/bake-script.ts';
import type { HandlerDeps } from './handler-deps.ts';

/**
 * Looked at for each command: a variable whose secret was set or removed comes and goes with the next one. What the host's registries are is
 * looked at when something is applied.
 */
export async function environmentOf(
  deps: Pick<HandlerDeps, 'credentials' | 'registries'>,
  id: string,
  spec: SandboxSpec,
): Promise<Record<string, string>> {
  const standIns = await deps.credentials.environment(id, spec);
  return { ...guestEnvironment(await deps.registries.known()), ...spec.env, ...standIns };
}
