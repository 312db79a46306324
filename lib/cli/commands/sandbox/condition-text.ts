/** How a sandbox is, in short words. */
import { existsSync } from 'node:fs';
import type { Condition, SandboxStatus } from '../../../api/sandbox-status.ts';
import { ageOf } from '../../view/age.ts';
import { inOneLine } from '../../view/printable.ts';

/** How long the agent has been running */
export function sessionOf({ conditions }: Pick<SandboxStatus, 'conditions'>, now: number): string {
  const session = conditions.find(({ type, status }) => type === 'AgentRunning' && status);
  return session === undefined ? '-' : ageOf(session.since, now);
}

/** The most telling first. `NetworkReady` and `Ready` say nothing of what is stopped by a person */
const TELLING = [
  'Healthy',
  'MemoryAvailable',
  'Resumed',
  'DiskSpace',
  'Workspace',
  'Applied',
  'Ready',
  'NetworkReady',
  'PortsReady',
  'WorkspaceWatched',
  'ImageReady',
];

/** Why it is not simply running; empty: it is. */
export function whyOf({ conditions, state }: Pick<SandboxStatus, 'conditions' | 'state'>, folder: boolean): string {
  if (!folder) return 'its folder was moved or deleted';
  const [told] = wrongWith({ conditions, state });
  return told === undefined ? '' : inOneLine(told.message);
}

/** The most telling first. */
export function wrongWith({ conditions, state }: Pick<SandboxStatus, 'conditions' | 'state'>): Condition[] {
  const wrong = TELLING.flatMap((type) => conditions.find((one) => one.type === type && !one.status) ?? []);
  return wrong.filter(({ reason }) => !(DOWN.includes(state) && ORDINARY.includes(reason)));
}

/** What a running sandbox suffers from, in words. */
export function troublesOf({ state, conditions }: Pick<SandboxStatus, 'state' | 'conditions'>): string[] {
  if (state !== 'running') return [];
  const isFalse = (type: string) => conditions.some((one) => one.type === type && !one.status);
  return [...(isFalse('Ready') ? ['no answer'] : []), ...(isFalse('MemoryAvailable') ? ['out of memory'] : [])];
}

const DOWN = ['stopped', 'suspended'];
/** Reasons of a sandbox that is down as it should be */
const ORDINARY = ['NotRunning', 'Suspended', 'Shut'];

/** Whether the project's folder is where it was applied. */
export function hasFolder({ projectDir }: Pick<SandboxStatus, 'projectDir'>): boolean {
  return existsSync(projectDir);
}
