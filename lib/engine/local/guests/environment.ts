/** Builds the environment of a sandbox's commands: the host's registries, the spec's `env`, placeholders for secrets. */
import { guestEnvironment, type Registries } from '../../../image/bake/bake-script.ts';
import { withImageEnvironment } from '../../../image/bake/image-environment.ts';
import type { SandboxSpec } from '../../../spec/spec.ts';
import type { Cached } from '../../../state/cached.ts';
import type { Credentials } from '../credentials/credentials.ts';

/**
 * Built for each command, so that a secret that was set or removed counts from the next one on. The host's registries are those of the last
 * apply.
 */
export async function environmentOf(
  deps: { credentials: Pick<Credentials, 'environment'>; registries: Cached<Registries> },
  id: string,
  spec: SandboxSpec,
): Promise<Record<string, string>> {
  const placeholders = await deps.credentials.environment(id, spec);
  const own = { ...guestEnvironment(await deps.registries.get()), ...ownNames(spec.name) };
  return { ...withImageEnvironment(own, spec.image.env), ...spec.env, ...placeholders };
}

/** The guest's own names and addresses in the notations that programs understand: few know a block of addresses. */
function ownNames(hostname: string): Record<string, string> {
  const own = ['localhost', '.localhost', hostname, '127.0.0.1', '127.0.1.1', '127.0.0.0/8', '0.0.0.0', '::1', '[::1]'];
  return { no_proxy: own.join(','), NO_PROXY: own.join(',') };
}
