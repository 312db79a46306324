/** What the host and the relay of the workspace (relay.pl) agree on. */
import EVENTS from './events.pl';
import MAILBOX from './mailbox.pl';
import RELAY from './relay.pl';
import CHILDREN from './relay-children.pl';

/** Files of one folder, by their names: the relay looks for the others beside itself. */
export const RELAY_SCRIPTS: Readonly<Record<string, string>> = {
  'relay.pl': RELAY,
  'mailbox.pl': MAILBOX,
  'relay-children.pl': CHILDREN,
  'events.pl': EVENTS,
};

/** Where the relay mounts what a workspace server serves */
export const SERVED = '/run/sbx/workspace';

/** Sent by the relay at the begin of each connection; bytes before it belong to an earlier one */
export const GREETING = 'sbx workspace 1\n';
