/** Lists what ends with the VM of a sandbox, and with its disk: for a plan, for the verbs that remove, for `sbx inspect`. */
import { type Consent, isAgreed, type Loss } from '../../plan/loss.ts';
import type { InstanceRecord } from '../../state/records.ts';
import { whatRuns } from '../activity/what-runs.ts';
import type { Control } from '../control/control.ts';
import { unfetchedWork } from './clone-work.ts';
import { privateFiles } from './private-work.ts';

export interface LossRequest extends Consent {
  /** The disk goes, too */
  losesDisk: boolean;
}

/** What the user has agreed to is not looked for: a guest that does not answer takes long. */
export async function lossesOf(
  control: Control,
  record: InstanceRecord,
  { losesDisk, ...consent }: LossRequest,
): Promise<Loss[]> {
  const { name: sandbox } = record;
  const disk = async () => (record.applied === null ? undefined : 'everything on its own disk is lost');
  const runs = async () => after('ends', await whatRuns(control, record));
  const files = async () => after('loses', await privateFiles(control, record));
  const work = async () => after('loses', await unfetchedWork(control, record));
  const looks: [Loss['kind'], () => Promise<string | undefined>][] = [
    ['session', runs],
    ...(losesDisk
      ? (
          [
            ['disk', disk],
            ['private-files', files],
            ['unfetched-work', work],
          ] as const
        ).map(([kind, look]): [Loss['kind'], typeof look] => [kind, look])
      : []),
  ];
  const found = await Promise.all(
    looks.map(async ([kind, look]): Promise<Loss[]> => {
      const text = isAgreed(kind, consent) ? undefined : await look();
      return text === undefined ? [] : [{ sandbox, kind, message: `${sandbox}: ${text}` }];
    }),
  );
  return found.flat();
}

function after(verb: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${verb} ${text}`;
}
