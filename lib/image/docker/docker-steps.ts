/** The steps that put a Docker engine into an image and into its snapshot, as data. Pure. */
import { DOCKER_ENABLED, GUEST_ADDRESS } from '../../guest/setup/operations.ts';
import { AGENT_USER, APT_UPDATE, type BakeStep, withVariables } from '../bake/bake-script.ts';
import INSTALL from './install-docker.sh';
import WARM from './warm-docker.sh';

const PATH = 'docker.enabled';

/** Before the project's own packages and lines, which may change the engine's configuration. */
export function dockerSteps(): BakeStep[] {
  const variables = { user: AGENT_USER, resolver: GUEST_ADDRESS, enabled: DOCKER_ENABLED };
  return [
    { title: 'apt-get update', argv: APT_UPDATE, path: PATH },
    { title: 'install Docker', argv: ['/bin/sh', '-c', withVariables(variables, INSTALL)], path: PATH },
  ];
}

/** Waits for the engine and runs a container: a clone's first one finds programs and kernel modules in memory. */
export const WARM_DOCKER = ['/bin/sh', '-c', WARM];
