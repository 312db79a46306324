/** What the commands of a sandbox find in their environment: of the host, of the file, and stand-ins for secrets. */

import { guestEnvironment, type Registries } from '../../../image/bake/bake-script.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { Cached } from '../../../state/cached.ts';
import type { Credentials } from '../credentials/credentials.ts';

/**
 * Looked at for each command: a variable whose secret was set or removed comes and goes with the next one. What the host's registries are is
 * looked at when something is applied.
 */
export async function environmentOf(
  deps: { credentials: Pick<Credentials, 'environment'>; registries: Cached<Registries> },
  id: string,
  spec: SandboxSpec,
): Promise<Record<string, string>> {
  const placeholders = await deps.credentials.environment(id, spec);
  return { ...guestEnvironment(await deps.registries.get()), ...spec.env, ...placeholders };
}
