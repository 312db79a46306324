/** Asks the policy at each operation and turns its verdict into an error. */
import type { WorkspaceOperation, WorkspaceVerdict } from '../../policy/types.ts';
import { ERRNO, type Errno, errnoError, fail } from '../sys/errno.ts';
import type { FileKind, Stat } from '../sys/stat.ts';
import type { Link, Node } from './node.ts';
import { namesOf } from './nodes.ts';

export interface PolicyRequest {
  /** Name of the root folder */
  root: string;
  /** Relative to the root, without a leading slash; empty for the root */
  path: Buffer;
  kind: FileKind | 'unknown';
  /** Device, inode and birth time of the file that is there; undefined if there is none, or if it is only listed */
  identity: string | undefined;
  operation: WorkspaceOperation;
}

/** What is known of the file that an operation is about */
export interface PolicyFile {
  kind: PolicyRequest['kind'];
  identity?: string;
}

/** `private-only`: as `private`, and nothing of the host is seen at this path */
export type Verdict = WorkspaceVerdict | 'private-only';

/** MUST be quick and MUST NOT throw: it runs within each operation. */
export type Decide = (request: PolicyRequest) => Verdict;

interface RenameQuestion {
  root: string;
  from: Buffer;
  to: Buffer;
  kind: PolicyRequest['kind'];
}

/**
 * Asked besides the names, since a folder takes everything below it along. `copy`: the guest's program is to copy and remove instead.
 * `private`: both names are the private layer's; without one it is refused.
 * MUST be quick and MUST NOT throw.
 */
export type JudgeRename = (request: RenameQuestion) => 'pass' | 'private' | 'copy' | 'refuse';

/** What the host says of a file with several names */
export type LinkedFile = Pick<Stat, 'identity' | 'nlink' | 'ctime'>;

/** Knows whether `decide` was asked about every name of a file: it decides about an identity by the names that were seen. */
export interface NameCheck {
  /** Undefined: it was. Otherwise it resolves when it was. MUST be quick and MUST NOT reject. */
  pending(root: string, file: LinkedFile): Promise<void> | undefined;
  /** Undefined: `decide` knows what the files of the root name. Otherwise it resolves when it does. MUST be quick and MUST NOT reject. */
  walked(root: string): Promise<void> | undefined;
  /** The guest gave a file, which was as `before`, one more name. */
  linked(root: string, before: LinkedFile): void;
}

const READING: ReadonlySet<WorkspaceOperation> = new Set(['lookup', 'list', 'read']);
const NAMING: ReadonlySet<WorkspaceOperation> = new Set(['create', 'rename-to']);

export class PolicyGate {
  private readonly decide: Decide | undefined;
  private readonly judgeRename: JudgeRename | undefined;
  private readonly hasLayers: boolean;

  /** @param hooks without `decide` everything passes and no paths are built */
  constructor(hooks: { decide?: Decide; judgeRename?: JudgeRename; layers?: { size: number } }) {
    this.decide = hooks.decide;
    this.judgeRename = hooks.judgeRename;
    this.hasLayers = (hooks.layers?.size ?? 0) > 0;
  }

  /** False: no call decides anything, and callers need not find out what the policy would ask for. */
  get active(): boolean {
    return this.decide !== undefined;
  }

  hides(link: Link, file: PolicyFile, operation: WorkspaceOperation): boolean {
    return this.verdict(link, file, operation) === 'hidden';
  }

  verdict(link: Link, file: PolicyFile, operation: WorkspaceOperation): Verdict {
    if (this.decide === undefined) return 'pass';
    return this.decide({ ...placeOf(link), kind: file.kind, identity: file.identity, operation });
  }

  /** For a change where there is a private layer; @throws as `requireName` for the other verdicts */
  requireChange(link: Link, file: PolicyFile, operation: WorkspaceOperation): 'pass' | 'private' | 'private-only' {
    const verdict = this.verdict(link, file, operation);
    if (verdict !== 'hidden' && verdict !== 'read-only') return verdict;
    throw denial(verdict, operation) ?? errnoError(ERRNO.EROFS);
  }

  /** @throws ENOENT for a hidden name (EACCES where it would be made), EROFS for one that must not change */
  requireName(link: Link, file: PolicyFile, operation: WorkspaceOperation): void {
    const error = denial(this.verdict(link, file, operation), operation);
    if (error !== undefined) throw error;
  }

  /** As `requireName`, for every name that the node has: a hard link opens no way around a rule. */
  requireNode(node: Node, operation: WorkspaceOperation): void {
    if (this.decide === undefined) return;
    if (node.root !== undefined) {
      const { kind, identity, root } = node;
      const verdict = this.decide({ root: root.name, path: Buffer.alloc(0), kind, identity, operation });
      const error = denial(verdict, operation);
      if (error !== undefined) throw error;
      return;
    }
    const links = node.links.length === 0 && node.lastLink !== undefined ? [node.lastLink] : node.links;
    for (const link of links) {
      const verdict = this.verdict(link, node, operation);
      // Of what is private as a whole nothing of the host is seen, also by what the guest had open.
      if (verdict === 'private-only' && this.hasLayers && node.where === 'host') fail('ENOENT');
      const error = denial(verdict, operation);
      if (error !== undefined) throw error;
    }
  }

  /** @param allowed where both names lie; @throws EXDEV, for which programs copy; EPERM */
  requireRename(
    from: Link,
    to: Link,
    { allowed = 'pass', ...file }: PolicyFile & { allowed?: 'pass' | 'private' },
  ): void {
    if (this.judgeRename === undefined) return;
    const [source, target] = [placeOf(from), placeOf(to)];
    // The rules of one root say nothing about another.
    if (source.root !== target.root) fail('EXDEV');
    const { root, path } = source;
    const verdict = this.judgeRename({ root, from: path, to: target.path, kind: file.kind });
    if (verdict !== allowed)
      fail(verdict === 'refuse' || (allowed === 'pass' && verdict === 'private') ? 'EPERM' : 'EXDEV');
  }
}

function placeOf(link: Link): { root: string; path: Buffer } {
  const { start, names } = namesOf(link);
  return { root: start.root?.name ?? '', path: Buffer.from(names.join('/'), 'latin1') };
}

function denial(verdict: Verdict, operation: WorkspaceOperation): Errno | undefined {
  if (verdict === 'pass') return undefined;
  if (verdict === 'hidden') return errnoError(NAMING.has(operation) ? ERRNO.EACCES : ERRNO.ENOENT);
  return READING.has(operation) ? undefined : errnoError(ERRNO.EROFS);
}
