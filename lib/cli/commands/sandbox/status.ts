/** `sbx status`: shows how a sandbox is, in words; `inspect` shows everything. */
import type { SandboxDetail } from '../../../api/sandbox-status.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { ageOf } from '../../view/age.ts';
import { inOneLine } from '../../view/printable.ts';
import { size } from '../../view/size.ts';
import { hasFolder, sessionOf, whyOf, wrongWith } from './condition-text.ts';

export async function status({ context, cwd, view, args }: Run<object, [string?]>): Promise<number> {
  const client = await daemonOf(context);
  const detail = await client.inspect((await resolveSandbox(client, cwd, args[0])).id);
  view.result(detail, describe(detail, Date.now()));
  return 0;
}

function describe(one: SandboxDetail, now: number): string {
  const why = whyOf(one, hasFolder(one));
  const session = sessionOf(one, now);
  const { resources, network } = one.spec;
  const rows: [string, string][] = [
    ['sandbox', `${one.project}/${one.name} (${one.id})`],
    ['state', why === '' ? one.state : `${one.state}: ${why}`],
    ['folder', one.projectDir],
    ['created', `${ageOf(one.createdAt, now)} ago`],
    ...(one.startedAt === null ? [] : [['started', `${ageOf(one.startedAt, now)} ago`] as [string, string]]),
    ['agent', `${one.agent ?? 'none'}${session === '-' ? '' : `, running for ${session}`}`],
    ['machine', `${one.cpus} CPUs, ${size(one.memoryBytes)} of memory${one.accel === null ? '' : `, ${one.accel}`}`],
    ['disk', `${size(one.diskBytes)} of at most ${size(resources.diskBytes)}`],
    ['network', `mode ${network.mode}, ${network.allow.length + one.grants.length} allowed`],
    ...one.grants.map(({ text, until }): [string, string] => [
      'granted',
      `${text}${until === undefined ? '' : ` until ${until}`}`,
    ]),
    ...one.ports.map((port): [string, string] => [
      'port',
      `${port.guest} ${port.url === null ? 'is not open' : `at ${port.url}`}`,
    ]),
    ...one.denials.map(({ text, until }): [string, string] => [
      'denied',
      `${text}${until === undefined ? '' : ` until ${until}`}`,
    ]),
    ...one.losses
      .filter(({ kind }) => kind !== 'disk' && kind !== 'session')
      .map(({ message }): [string, string] => ['only here', message]),
    ...wrongWith(one).map(({ type, message }): [string, string] => [type, message]),
  ];
  return rows.map(([name, value]) => `${`${name}:`.padEnd(18)}${inOneLine(value)}`).join('\n');
}
