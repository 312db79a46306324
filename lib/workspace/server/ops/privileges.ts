/** When set-user-id and set-group-id bits end, which are kept for the guest only. */
import { statNode } from '../overlay/resolve.ts';
import { isErrno } from '../sys/errno.ts';
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';
import type { Call } from './call.ts';

const ROOT_UID = 0;

/**
 * A file's content has changed.
 * @param isSaid what the guest's kernel says of the change: true if it is by a process without the right to keep the bits
 */
export function endPrivileges(state: ServerState, node: Node, isSaid: boolean): void {
  if (isSaid || !state.saysWhenPrivilegesEnd) dropPrivileges(state, node);
}

/** As `endPrivileges`, for changes of which the kernel does not say it. */
export function endPrivilegesUnlessRoot({ state, uid }: Call, node: Node): void {
  endPrivileges(state, node, uid !== ROOT_UID);
}

/** For every user of the guest, also root */
export function dropPrivileges(state: ServerState, node: Node): void {
  if (state.owners.hasPrivileges(node.identity)) state.owners.dropPrivileges(node.identity, modeOf(state, node));
}

/** Of a file that cannot be found any more both bits end. */
function modeOf(state: ServerState, node: Node): number {
  try {
    return statNode(state, node).mode;
  } catch (error) {
    if (isErrno(error, 'ESTALE')) return 0o777;
    throw error;
  }
}
