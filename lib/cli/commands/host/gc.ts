/** `sbx gc`: frees layers that no sandbox uses. */
import type { GcResult } from '../../../api/contract.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf } from '../../command/project.ts';
import { ageOf } from '../../view/age.ts';
import { inOneLine } from '../../view/printable.ts';
import { size } from '../../view/size.ts';

interface Flags {
  dryRun: boolean;
  all: boolean;
  /** In days */
  keep?: number;
}

const DAY_SECONDS = 86_400;

export async function gc({ context, view, flags }: Run<Flags>): Promise<number> {
  const { dryRun, all, keep = 0 } = flags;
  const result = await (await daemonOf(context)).gc({ dryRun, all, keepSeconds: keep * DAY_SECONDS });
  view.result(result, describe(result, Date.now()));
  return 0;
}

function describe({ items, kept, dryRun, freedBytes }: GcResult, now: number): string {
  const keptBytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    ...items.map((item) => lineOf(item, now)),
    `${dryRun ? 'would free' : 'freed'} ${size(freedBytes)}`,
    ...(kept.length === 0 ? [] : ['kept, although no sandbox uses them:', ...kept.map((item) => lineOf(item, now))]),
    ...(kept.length === 0 ? [] : [`kept ${size(keptBytes)}`]),
  ].join('\n');
}

function lineOf({ kind, key, bytes, reason, createdAt, lastUsedAt }: GcResult['items'][number], now: number): string {
  const ages =
    createdAt === undefined || lastUsedAt === undefined
      ? ''
      : ` · built ${ageOf(createdAt, now)} ago, used ${ageOf(lastUsedAt, now)} ago`;
  return inOneLine(`${size(bytes).padStart(12)}  ${kind}-${key}: ${reason}${ages}`);
}
