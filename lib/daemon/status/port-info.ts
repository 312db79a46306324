/** Describes the ports of a sandbox for clients. Pure. */
import type { PortInfo } from '../../api/sandbox-status.ts';
import type { PortState } from '../../engine/engine.ts';

export function portInfo({ guest, host, address, open, from, problem }: PortState): PortInfo {
  return {
    guest,
    host,
    address: address ?? null,
    url: open ? `http://${hostOf(address)}:${host}` : null,
    from,
    problem: problem ?? null,
  };
}

/** A browser of this host reaches all addresses by its loopback. */
function hostOf(address: string | undefined): string {
  if (address === undefined || address === '0.0.0.0' || address === '::') return 'localhost';
  return address.includes(':') ? `[${address}]` : address;
}

/** Only of ports that should be open and are not. */
export function portsCondition<T>(
  ports: readonly PortState[],
  make: (status: boolean, reasonAndMessage: [reason: string, message: string]) => T,
): T[] {
  const problems = ports.flatMap(({ problem }) => problem ?? []);
  return problems.length === 0 ? [] : [make(false, ['NotOpen', `${problems.join('; ')}; it is tried again`])];
}
