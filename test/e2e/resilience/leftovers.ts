/** Finds everything that a test round could leave behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonPid, HOME, processesWith } from '../harness.ts';

export interface Places {
  /** The project's folder */
  dir: string;
  /** Temporary files of the commands and the daemon only */
  temporary: string;
}

export function leftovers({ dir, temporary }: Places) {
  const daemon = runningDaemon();
  return {
    machines: processesWith(`sbx-vm:${HOME}`).length,
    children: childrenOf(daemon).length,
    sockets: readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .filter((line) => line.includes(join(HOME, 'instances'))).length,
    descriptors: readdirSync(`/proc/${daemon}/fd`).length,
    // Instances, layers and what is being built, projects' approvals, what is remembered of their files, secrets, logs of bakes (one a layer).
    home: namesBelow(HOME).map(withoutTurn),
    project: namesBelow(dir),
    temporary: namesBelow(temporary),
  };
}

export function daemonMegabytes(): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${runningDaemon()}/status`, 'utf8'))?.[1];
  return Math.round(Number(kib) / 1000);
}

function runningDaemon(): number {
  const daemon = daemonPid();
  if (daemon === undefined) throw new Error('no daemon');
  return daemon;
}

/** Also those that have ended and that it has not heard of yet */
function childrenOf(parent: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    });
}

function namesBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).toSorted();
}

/** A lock is one file, whose number goes on with each holder. */
function withoutTurn(name: string): string {
  return /^(store\/locks\/|daemon\/lock)/.test(name) ? name.replace(/\.\d+$/, '') : name;
}
