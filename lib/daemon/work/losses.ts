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
  const looks: Look[] = losesDisk ? [...OF_VM, ...OF_DISK] : OF_VM;
  const found = await Promise.all(
    looks.map(async ([kind, look]): Promise<Loss[]> => {
      const text = isAgreed(kind, consent) ? undefined : await look(control, record);
      return text === undefined ? [] : [{ sandbox, kind, message: `${sandbox}: ${text}` }];
    }),
  );
  return found.flat();
}

/** In words; undefined: nothing */
type Look = [kind: Loss['kind'], look: (control: Control, record: InstanceRecord) => Promise<string | undefined>];

const OF_VM: Look[] = [['session', async (...of) => after('ends', await whatRuns(...of))]];
const OF_DISK: Look[] = [
  ['disk', async (_, { applied }) => (applied === null ? undefined : 'everything on its own disk is lost')],
  ['private-files', async (...of) => after('loses', await privateFiles(...of))],
  ['unfetched-work', async (...of) => after('loses', await unfetchedWork(...of))],
];

function after(verb: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : `${verb} ${text}`;
}
