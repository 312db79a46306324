/**
 * Checks that a running jail still has the mounts that were planned. Two things can undo one: a program of the host that
 * replaces a covered file by renaming another over it (the kernel then drops the mount, in every namespace), and another
 * sandbox of the same workspace that exchanges a folder for a link just before the jail is set up.
 */
import { readFileSync, statSync } from 'node:fs';
import type { JailMount } from '../../system/jail-mount.ts';

export interface MountFault {
  mount: JailMount;
  what: 'missing' | 'writable' | 'shows-something-else';
}

export interface MountCheck {
  /** Any process of the jail, as the host sees it */
  pid: number;
  mounts: JailMount[];
  /** From `prepareWorkspace` */
  identities: Record<string, string>;
}

/** Empty: all is as planned. Throws when the process is gone. */
export function checkMounts({ pid, mounts, identities }: MountCheck): MountFault[] {
  const isReadonly = parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  return mounts.flatMap((mount): MountFault[] => {
    const readonly = isReadonly.get(mount.target);
    if (readonly === undefined) return [{ mount, what: 'missing' }];
    if (mount.readonly && !readonly) return [{ mount, what: 'writable' }];
    const expected = identities[mount.target];
    return expected === undefined || identityIn(pid, mount.target) === expected
      ? []
      : [{ mount, what: 'shows-something-else' }];
  });
}

/** Mount point → read-only. Of several on one point the last counts. */
export function parseMountInfo(text: string): Map<string, boolean> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(
    lines.map((line) => {
      const fields = line.split(' ');
      return [unescapePath(fields[4] ?? ''), (fields[5] ?? '').split(',').includes('ro')];
    }),
  );
}

/** Blanks and the like are written as `\040`, byte by byte. */
function unescapePath(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const plain = bytes.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return Buffer.from(plain, 'latin1').toString('utf8');
}

function identityIn(pid: number, path: string): string | undefined {
  const found = statSync(`/proc/${pid}/root${path}`, { throwIfNoEntry: false, bigint: true });
  return found === undefined ? undefined : `${found.dev}:${found.ino}`;
}
