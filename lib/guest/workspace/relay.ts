/** What the host and the relay of the workspace (relay.pl) agree on. */
import SCRIPT from './relay.pl';

export const RELAY_SCRIPT: string = SCRIPT;

/** Where the relay mounts what a workspace server serves */
export const SERVED = '/run/sbx/workspace';

/** Sent by the relay at the begin of each connection; bytes before it belong to an earlier one */
export const GREETING = 'sbx workspace 1\n';
