/** Owners and special mode bits that the guest set: kept for the guest, never written to the host. */
import { fail } from '../sys/errno.ts';
import { S_ISGID, S_ISUID } from '../sys/flags.ts';
import type { Stat } from '../sys/stat.ts';

export interface OwnerOptions {
  /** Owner of the served files on the host; its files belong to `uid` and `gid` in the guest */
  hostUid: number;
  uid: number;
  gid: number;
  /** Most files with an owner or special bits of their own */
  max: number;
}

/** Undefined fields are as on the host. */
export interface Kept {
  uid?: number;
  gid?: number;
  /** Set-user-id, set-group-id and sticky bit */
  special?: number;
}

/** Owner of every file that is not the host user's */
const OTHER_OWNER = 65_534;

const SPECIAL_BITS = 0o7000;
const S_IXGRP = 0o010;

export class Owners {
  private readonly kept = new Map<string, Kept>();
  private readonly options: OwnerOptions;

  constructor(options: OwnerOptions) {
    this.options = options;
  }

  /** @returns the attributes as the guest sees them */
  shown(stat: Stat): Stat {
    const kept = this.kept.size === 0 ? undefined : this.kept.get(stat.identity);
    const own = stat.uid === this.options.hostUid;
    return {
      ...stat,
      mode: kept?.special === undefined ? stat.mode : (stat.mode & ~SPECIAL_BITS) | kept.special,
      uid: kept?.uid ?? (own ? this.options.uid : OTHER_OWNER),
      gid: kept?.gid ?? (own ? this.options.gid : OTHER_OWNER),
    };
  }

  get(identity: string): Kept | undefined {
    return this.kept.get(identity);
  }

  /** @throws ENOSPC if too many files have an own entry */
  set(identity: string, change: Kept): void {
    const before = this.kept.get(identity);
    if (before === undefined && this.kept.size >= this.options.max) fail('ENOSPC');
    this.kept.set(identity, { ...before, ...change });
  }

  /** Keeps the creator of a new file, if it is not the default user. */
  claim(identity: string, creator: { uid: number; gid: number }): void {
    const { uid, gid } = this.options;
    if (creator.uid !== uid || creator.gid !== gid) this.set(identity, { uid: creator.uid, gid: creator.gid });
  }

  /**
   * Takes away what runs a file with the rights of its owner or group, as Linux does with a write of anybody but root and with a change of owner.
   * Where the group may not execute the file, the set-group-id bit means something else and stays.
   * @param permissions the mode on the host
   */
  dropPrivileges(identity: string, permissions: number): void {
    const special = this.kept.get(identity)?.special;
    if (special === undefined) return;
    const rights = S_ISUID | ((permissions & S_IXGRP) === 0 ? 0 : S_ISGID);
    if ((special & rights) !== 0) this.set(identity, { special: special & ~rights });
  }

  /** False: nothing is kept that `dropPrivileges` could take away. */
  hasPrivileges(identity: string): boolean {
    return ((this.kept.get(identity)?.special ?? 0) & (S_ISUID | S_ISGID)) !== 0;
  }

  get isEmpty(): boolean {
    return this.kept.size === 0;
  }

  /** For a file that is gone; without it, a guest that makes and removes files would reach the bound. */
  remove(identity: string | undefined): void {
    if (identity !== undefined) this.kept.delete(identity);
  }

  save(): [string, Kept][] {
    return [...this.kept];
  }

  restore(saved: [string, Kept][]): void {
    for (const [identity, kept] of saved) this.kept.set(identity, kept);
  }
}
