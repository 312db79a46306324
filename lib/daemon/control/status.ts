/** A sandbox as `sbx ls` shows it: from facts, pure. */

import type { Condition, SandboxState, SandboxStatus } from '../../api/contract.ts';
import { toErrorJson } from '../../errors.ts';
import type { SessionsRunning } from '../../guest/protocol/messages.ts';
import type { InstanceRecord } from '../../state/records.ts';
import type { VmProcess } from '../../vm/driver.ts';
import { stoppedIdle } from './stopped-idle.ts';

export interface StatusFacts {
  record: InstanceRecord;
  vm: VmProcess | undefined;
  connected: boolean;
  /** As the guest told last; undefined: it has not */
  sessions: SessionsRunning | undefined;
  busy: boolean;
  doorOpen: boolean;
  /** The host has no space for what it writes */
  diskFull: boolean;
  error: unknown;
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
    ports: [],
    pid: vm?.pid ?? null,
    startedAt: vm?.startedAt ?? null,
    conditions: conditionsOf(facts),
  };
}

function stateOf({ record, vm, busy, diskFull }: StatusFacts): SandboxState {
  if (diskFull) return 'failed';
  if (busy && vm === undefined && record.image === null) return 'building';
  if (busy) return 'starting';
  if (vm !== undefined) return record.resumed?.pid === vm.pid ? 'running' : 'failed';
  return record.stopped === null ? 'failed' : 'stopped';
}

function conditionsOf({ record, vm, connected, sessions, doorOpen, diskFull, error, now }: StatusFacts): Condition[] {
  const since = vm?.startedAt ?? record.createdAt;
  const make = (type: string, status: boolean, reason: string, message: string): Condition => ({
    type,
    status,
    reason,
    message,
    since: status ? since : now,
  });
  const idle = record.stopped === 'idle';
  const failure = error === undefined ? undefined : toErrorJson(error);
  return [
    make(
      'Applied',
      record.applied !== null,
      record.applied === null ? 'Incomplete' : 'Applied',
      record.applied === null ? 'an apply has not finished; run `sbx apply`' : 'the spec was applied in full',
    ),
    make(
      'Ready',
      vm !== undefined && connected,
      vm === undefined ? (idle ? 'StoppedIdle' : 'NotRunning') : connected ? 'Answers' : 'NoAnswer',
      vm === undefined
        ? idle
          ? stoppedIdle(record.applied)
          : 'no virtual machine'
        : connected
          ? 'the agent answers'
          : 'the agent does not answer',
    ),
    make(
      'NetworkDoor',
      doorOpen,
      doorOpen ? 'Open' : 'Shut',
      doorOpen ? 'the gateway serves its policy' : 'nothing leaves the sandbox',
    ),
    ...(vm === undefined || sessions === undefined ? [] : [agentRunning(sessions, since, now)]),
    ...(diskFull
      ? [
          make(
            'DiskSpace',
            false,
            'HostDiskFull',
            'it waits: the disk of the host is full. Free some space, and it goes on by itself',
          ),
        ]
      : []),
    ...(failure === undefined ? [] : [make('Healthy', false, failure.code, failure.message)]),
  ];
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
