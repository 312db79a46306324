/** The table of `sbx stats`, and the rates between two readings. Pure. */
import type { SandboxStats } from '../../api/sandbox-stats.ts';
import { columns } from './columns.ts';
import { size } from './size.ts';

/** 100 %: one processor, all the time. Null: unknown */
interface SandboxRates {
  hostCpuPercent: number | null;
  guestCpuPercent: number | null;
  upBytesPerSecond: number | null;
  downBytesPerSecond: number | null;
}

export type RatedStats = SandboxStats & { rates: SandboxRates };

const UNKNOWN = '-';
/** A guest can say any number */
const PERCENT_MAX = 1_000_000;

/** Each with its rates since `before`, where that has the same sandbox. */
export function withRates(before: readonly SandboxStats[], now: readonly SandboxStats[]): RatedStats[] {
  return now.map((one) => ({
    ...one,
    rates: ratesOf(
      before.find(({ id }) => id === one.id),
      one,
    ),
  }));
}

function ratesOf(before: SandboxStats | undefined, now: SandboxStats): SandboxRates {
  const ms = now.atMs - (before?.atMs ?? now.atMs);
  const rate = (read: (stats: SandboxStats) => number | undefined) => {
    const [from, to] = [before === undefined ? undefined : read(before), read(now)];
    // A count that went back began again: the sandbox was started, or a new daemon counts.
    return from === undefined || to === undefined || ms <= 0 || to < from ? null : (to - from) / ms;
  };
  const percent = (value: number | null) =>
    value === null ? null : Math.min(PERCENT_MAX, Math.round(value * 1_000) / 10);
  const perSecond = (value: number | null) => (value === null ? null : Math.round(value * 1_000));
  return {
    hostCpuPercent: percent(rate(({ host }) => host?.cpuMs)),
    guestCpuPercent: percent(rate(({ guest }) => guest?.cpuMs)),
    upBytesPerSecond: perSecond(rate(({ network }) => network?.bytesUp)),
    downBytesPerSecond: perSecond(rate(({ network }) => network?.bytesDown)),
  };
}

const HEAD = [
  'NAME',
  'CPU',
  'CPU INSIDE',
  'MEMORY',
  'MEMORY INSIDE',
  'DISK',
  'DISK INSIDE',
  'SENT',
  'RECEIVED',
  'CONNECTIONS',
  'PROCESSES',
];

export function statsTable(list: readonly RatedStats[]): string {
  const projects = new Set(list.map(({ project }) => project));
  return columns([HEAD, ...list.map((one) => rowOf(one, projects.size > 1))]);
}

function rowOf({ rates, host, guest, network, ...one }: RatedStats, withProject: boolean): string[] {
  return [
    withProject ? `${one.project}/${one.name}` : one.name,
    percentOf(rates.hostCpuPercent),
    percentOf(rates.guestCpuPercent),
    host === null ? UNKNOWN : size(host.memoryBytes),
    guest === null ? UNKNOWN : `${size(guest.memoryUsedBytes)} of ${size(guest.memoryBytes)}`,
    size(one.diskBytes),
    guest === null ? UNKNOWN : `${size(guest.diskUsedBytes)} of ${size(guest.diskBytes)}`,
    network === null ? UNKNOWN : size(network.bytesUp),
    network === null ? UNKNOWN : size(network.bytesDown),
    network === null ? UNKNOWN : String(network.connections),
    guest === null ? UNKNOWN : String(guest.processes),
  ];
}

function percentOf(value: number | null): string {
  return value === null ? UNKNOWN : `${value.toFixed(1)}%`;
}
