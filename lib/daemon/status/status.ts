/** Computes a row of `sbx ls` from facts. Pure. */

import type { Condition, SandboxState, SandboxStatus } from '../../api/sandbox-status.ts';
import type { SandboxStatusFacts } from '../../engine/engine.ts';
import { toErrorJson } from '../../errors.ts';
import type { SessionsRunning } from '../../guest/protocol/messages.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { imageCondition } from './image-condition.ts';
import { portInfo, portsCondition } from './port-info.ts';
import { stoppedIdle } from './stopped-idle.ts';
import { workspaceCondition } from './workspace-condition.ts';

export interface StatusFacts extends SandboxStatusFacts {
  record: InstanceRecord;
  busy: boolean;
  error: unknown;
  /** ISO 8601 */
  now: string;
}

export function statusOf(facts: StatusFacts): SandboxStatus {
  const { record, vm } = facts;
  const spec = record.applied ?? record.target;
  return {
    id: record.id,
    name: record.name,
    project: record.project,
    projectDir: record.projectDir,
    state: stateOf(facts),
    agent: spec.agent.name ?? null,
    image: spec.image.base,
    snapshot: record.image?.key ?? null,
    accel: vm?.accel ?? null,
    cpus: spec.resources.cpus,
    memoryBytes: spec.resources.memoryBytes,
    workspace: spec.workspace.path,
    ports: facts.ports.map(portInfo),
    pid: vm?.pid ?? null,
    createdAt: record.createdAt,
    startedAt: vm?.startedAt ?? null,
    diskBytes: facts.diskBytes + (facts.saved?.bytes ?? 0),
    suspended: facts.saved ?? null,
    conditions: conditionsOf(facts),
  };
}

function stateOf({ record, vm, finalized, busy, diskFull, saved }: StatusFacts): SandboxState {
  if (diskFull) return 'failed';
  if (busy && vm === undefined && record.image === null) return 'building';
  if (busy) return 'starting';
  if (vm !== undefined) return finalized ? 'running' : 'failed';
  if (saved !== undefined) return 'suspended';
  return record.desired.power === 'on' ? 'failed' : 'stopped';
}

function conditionsOf(facts: StatusFacts): Condition[] {
  const { record, vm, sessions, networkReady, workspaceWatched, diskFull, workspace, error, now } = facts;
  const started = vm?.startedAt ?? record.createdAt;
  const make = (type: string, status: boolean, [reason, message]: [reason: string, message: string]): Condition => ({
    type,
    status,
    reason,
    message,
    since: status ? started : now,
  });
  const failure = error === undefined ? undefined : toErrorJson(error);
  return [
    make(
      'Applied',
      record.applied !== null,
      record.applied === null
        ? ['Incomplete', 'an apply has not finished; run `sbx apply`']
        : ['Applied', 'the spec was applied in full'],
    ),
    make('Ready', vm !== undefined && facts.connected, readiness(facts)),
    make(
      'NetworkReady',
      networkReady,
      networkReady ? ['Serving', 'the gateway serves its policy'] : ['Shut', 'no traffic leaves the sandbox'],
    ),
    ...(vm === undefined || sessions === undefined ? [] : [agentRunning(sessions, started, now)]),
    ...(workspaceWatched === undefined || workspaceWatched === 'all'
      ? []
      : [make('WorkspaceWatched', false, UNWATCHED[workspaceWatched])]),
    ...(workspace === undefined
      ? []
      : [make('Workspace', workspace.is === 'served', workspaceCondition(workspace, record.name))]),
    ...portsCondition(facts.ports, (...args) => make('PortsReady', ...args)),
    ...outOfMemory(facts),
    ...(record.lostMemory ? [lostMemory(record.lostMemory)] : []),
    ...(diskFull ? [make('DiskSpace', false, ['HostDiskFull', DISK_FULL])] : []),
    ...imageCondition(facts.newImage, now),
    ...(failure === undefined ? [] : [make('Healthy', false, [failure.code, failure.message])]),
  ];
}

const RAISE = 'raise fs.inotify.max_user_watches on the host, or keep the project on a local file system';
/** The rest of the workspace works, slower, without events */
const UNWATCHED: Record<'some' | 'none', [reason: string, message: string]> = {
  some: ['SomeFolders', `some folders are not cached, and changes on the host raise no events there; ${RAISE}`],
  none: ['NoWatches', `the workspace is not cached, and changes on the host raise no events inside; ${RAISE}`],
};

const DISK_FULL = 'paused: the disk of the host is full. Free some space, and the sandbox continues';

function readiness({ record, vm, connected, saved }: StatusFacts): [reason: string, message: string] {
  if (vm !== undefined) return connected ? ['Answers', 'the agent answers'] : ['NoAnswer', 'the agent does not answer'];
  if (saved !== undefined) return ['Suspended', 'its memory is saved; `sbx start` continues it'];
  return record.desired.stoppedBy === 'idle'
    ? ['StoppedIdle', stoppedIdle(record.applied)]
    : ['NotRunning', 'no virtual machine'];
}

/** How long a sandbox is reported after its last process was ended */
const OUT_OF_MEMORY_MS = 3_600_000;

function outOfMemory({ outOfMemory: found, now }: StatusFacts): Condition[] {
  if (found === undefined || Date.parse(now) - Date.parse(found.at) > OUT_OF_MEMORY_MS) return [];
  const processes = found.kills === 1 ? '1 process was' : `${found.kills} processes were`;
  const message = `out of memory: ${processes} ended since the start; raise [resources] memory, or run less at once`;
  return [{ type: 'MemoryAvailable', status: false, reason: 'OutOfMemory', message, since: found.at }];
}

function lostMemory({ why, at }: { why: string; at: string }): Condition {
  const message = `booted from its disk, and what ran in it is lost: ${why}`;
  return { type: 'Resumed', status: false, reason: 'BootedInstead', message, since: at };
}

function agentRunning({ running, since }: SessionsRunning, started: string, now: string): Condition {
  return {
    type: 'AgentRunning',
    status: running > 0,
    reason: running > 0 ? 'Session' : 'NoSession',
    message:
      running > 0 ? `${running} ${running === 1 ? 'session' : 'sessions'} of the agent` : 'the agent is not running',
    since: running > 0 ? (since ?? started) : now,
  };
}
