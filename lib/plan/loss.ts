/** Names what a change takes away for good, and refuses it until the user has agreed. Pure. */
import { SbxError } from '../errors.ts';
import type { Step } from './types.ts';

/** What cannot be had back, in words */
export interface Loss {
  sandbox: string;
  /** `private-files` and `unfetched-work` are work that is nowhere else: it needs a word of its own */
  kind: 'disk' | 'session' | 'private-files' | 'unfetched-work';
  message: string;
}

/** What the user has agreed to lose */
export interface Consent {
  /** Disks, and what runs */
  confirmed?: boolean;
  /** Work that is nowhere else */
  discard?: boolean;
}

/** A sandbox whose VM the steps end */
export interface Ended {
  sandbox: string;
  losesDisk: boolean;
}

type Action = Step['action'];

const LOSES_DISK: ReadonlySet<Action> = new Set(['create', 'destroy']);
/** `start` ends a VM as well, one that does not answer. `suspend` keeps what runs */
const ENDS_VM: ReadonlySet<Action> = new Set(['stop', 'create', 'destroy']);

export function endedBy(steps: Step[]): Ended[] {
  const ended = steps.filter(({ action }) => ENDS_VM.has(action)).map(({ sandbox }) => sandbox);
  return [...new Set(ended)].map((sandbox) => ({
    sandbox,
    losesDisk: steps.some((step) => step.sandbox === sandbox && LOSES_DISK.has(step.action)),
  }));
}

export function isAgreed(kind: Loss['kind'], { confirmed = false, discard = false }: Consent): boolean {
  return isWork(kind) ? discard : confirmed;
}

/** `command`: takes the flags, where the user's own may not. @throws SbxError `needs-confirmation` unless nothing is lost that the user has not agreed to. */
export function refuseLosses(losses: readonly Loss[], consent: Consent, command?: string): void {
  const refused = losses.filter(({ kind }) => !isAgreed(kind, consent));
  const [first] = refused;
  if (first === undefined) return;
  const work = refused.find(({ kind }) => isWork(kind));
  const agree = command === undefined ? `add ${flagsFor(refused)}` : `run \`${command} ${flagsFor(refused)}\``;
  const isOnlyRunning = refused.every(({ kind }) => kind === 'session');
  throw new SbxError('needs-confirmation', isOnlyRunning ? `${first.sandbox} is in use` : 'data would be lost', {
    why: refused.map(({ message }) => message).join('; '),
    hint: work === undefined ? agree : `${wayOut(work)}; or ${agree}`,
  });
}

function isWork(kind: Loss['kind']): boolean {
  return kind === 'private-files' || kind === 'unfetched-work';
}

/** What the command line takes to agree to them */
export function flagsFor(losses: readonly Loss[]): string {
  const flags = losses.map(({ kind }) => (isWork(kind) ? '--discard' : '--yes'));
  return [...new Set(flags)].toSorted().toReversed().join(' ');
}

function wayOut({ kind, sandbox }: Loss): string {
  const look = `look with \`sbx diff ${sandbox}\``;
  return kind === 'private-files'
    ? `${look}, keep what you need with \`sbx accept\` or \`sbx cp\``
    : `${look}, commit inside and run \`sbx fetch ${sandbox}\``;
}
