/** What every operation gets. */
import type { Node } from '../tables/node.ts';
import type { ServerState } from '../tables/state.ts';

export interface Call {
  state: ServerState;
  /** The node that the request names */
  node: Node;
  /** The process of the guest that asks */
  uid: number;
  gid: number;
}
