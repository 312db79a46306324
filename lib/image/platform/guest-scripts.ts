/** The scripts beside the guest agent on the runtime disk, by the names of their files. */
import DOCKER_SCRIPT from '../../guest/setup/docker.pl';
import GIT_SIGN_SCRIPT from '../../guest/setup/git-sign.pl';
import GIT_SIGN from '../../guest/setup/git-sign.sh';
import SETUP_SCRIPT from '../../guest/setup/setup.pl';
import { RELAY_SCRIPTS } from '../../guest/workspace/relay.ts';

export const GUEST_SCRIPTS: Readonly<Record<string, string>> = {
  'setup.pl': SETUP_SCRIPT,
  'docker.pl': DOCKER_SCRIPT,
  'git-sign': GIT_SIGN,
  'git-sign.pl': GIT_SIGN_SCRIPT,
  ...RELAY_SCRIPTS,
};
