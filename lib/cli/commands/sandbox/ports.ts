/** `sbx ports`: shows the ports of a sandbox on this host, opens more, or takes them back. */

import type { PortsRequest } from '../../../api/live-contract.ts';
import type { PortInfo, SandboxStatus } from '../../../api/sandbox-status.ts';
import type { Run } from '../../command/command.ts';
import { hostText, isWide, parsePort } from '../../command/port-text.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { columns } from '../../view/columns.ts';
import { inOneLine } from '../../view/printable.ts';
import { askAbout, inBrackets, offersOf, watchOffers } from './offered-ports.ts';

type Input = Run<{ publish?: string[]; unpublish?: string[]; watch: boolean }, [string?]>;

export async function ports({ context, cwd, view, flags, args }: Input): Promise<number> {
  const request: PortsRequest = {
    publish: (flags.publish ?? []).map(parsePort),
    unpublish: (flags.unpublish ?? []).map(parsePort),
  };
  const client = await daemonOf(context);
  const sandbox = await resolveSandbox(client, cwd, args[0]);
  const { id, name } = sandbox;
  if (request.publish.length + request.unpublish.length > 0) {
    const { ports: now, live } = await client.changePorts(id, request);
    const notes = [
      ...(live ? [] : [`${name} is not running: this takes effect from its next start on`]),
      ...(request.publish.some(isWide) ? ['other machines that reach this address can connect'] : []),
    ];
    view.result(now, [tableOf(name, now), ...notes].join('\n'));
    return 0;
  }
  if (flags.watch) return watchOffers({ client, view, sandbox });
  const offers = await offersOf(client, sandbox);
  const now = (await askAbout({ client, view, sandbox }, offers)) ?? sandbox.ports;
  view.result(now, shown(sandbox, now, offers));
  return 0;
}

function shown(
  { name }: SandboxStatus,
  now: readonly PortInfo[],
  offers: readonly { port: number; program: string | null }[],
): string {
  const closed = offers.filter(({ port }) => !now.some(({ guest }) => guest === port));
  const lines = closed.map(
    ({ port, program }) =>
      `${port}${inBrackets(program)} listens inside; to open it: sbx ports ${name} --publish ${port}`,
  );
  return [tableOf(name, now), ...lines].join('\n');
}

function tableOf(name: string, list: readonly PortInfo[]): string {
  if (list.length === 0) return `${name} has no ports; open one with \`sbx ports ${name} --publish HOST:GUEST\``;
  const rows = list.map((one) => [
    String(one.guest),
    hostText(one),
    ORIGINS[one.from],
    one.url ?? (one.problem === null ? 'not running' : `not open: ${inOneLine(one.problem)}`),
  ]);
  return columns([['GUEST', 'HOST', 'FROM', 'URL'], ...rows]);
}

const ORIGINS = { file: 'sandbox.toml', publish: 'published', command: 'a command' };
