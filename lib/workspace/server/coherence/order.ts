/** A change of the host that the process inside is to repeat. */
import type { FileKind } from '../sys/stat.ts';
import type { Link, Node } from '../tables/node.ts';

export interface Order {
  /** F, D, L: a file, folder, link was made · U, R: a file, a folder was removed · N: renamed · M: content · A: attributes */
  letter: string;
  folder: Node;
  name: string;
  kind: FileKind;
  node: Node | undefined;
  /** The new place of a rename */
  to: Link | undefined;
}
