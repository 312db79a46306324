/** Refuses a disk that would have to become smaller. Pure. */
import { SbxError } from '../errors.ts';
import { formatSize } from '../spec/units.ts';
import type { Change } from './types.ts';

/** One that is replaced for another reason may have any size. @throws SbxError `config-invalid` */
export function refuseSmallerDisk(changes: Change[]): void {
  for (const change of changes) {
    const { sandbox, path, from, to, effect, source } = change;
    if (path !== 'resources.diskBytes' || effect !== 'rebuild') continue;
    const isReplaced = changes.some((one) => one !== change && one.sandbox === sandbox && one.effect === 'rebuild');
    if (isReplaced) continue;
    const [before, after] = [Number(from), Number(to)].map(formatSize);
    throw new SbxError('config-invalid', `the disk of ${sandbox} cannot become smaller: ${before} → ${after}`, {
      why: 'a disk grows in place, but what is on it may not fit on a smaller one',
      hint: `set disk = "${before?.replace(' ', '')}" under [resources]; or run \`sbx rm ${sandbox}\`, which deletes its disk, and \`sbx apply\``,
      ...(source === 'default' ? {} : { place: source }),
    });
  }
}
