/** Takes a change over and kills itself on the way: `LAYER HOST NOTES PATH MOMENT`. */
import { type FileHandle, open } from 'node:fs/promises';
import { Folder } from '../../../../lib/guest/copy/folder.ts';
import { acceptChange } from '../../../../lib/workspace/changes/accept.ts';
import { showChange } from '../../../../lib/workspace/changes/diff-text.ts';

const [layerPath = '', hostPath = '', notes = '', path = '', moment = ''] = process.argv.slice(2);

await using layer = await Folder.open(layerPath);
await using host = await Folder.open(hostPath);
const { version } = await showChange({ path, kind: 'file', size: 0, files: 1 }, { layer, host });
if (version === undefined) throw new Error(`cannot be taken over: ${path}`);

/** Other threads may go on for a moment: nothing comes after it here. */
function die(): Promise<never> {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

const isNamed = moment.startsWith('named ');
if (isNamed) Folder.prototype.createUnnamed = () => Promise.reject(Object.assign(new Error(), { code: 'EOPNOTSUPP' }));
if (moment.endsWith('content')) {
  await using some = await open('/dev/null');
  const files = Object.getPrototypeOf(some) as FileHandle;
  files.chmod = die;
}
if (moment.endsWith('rename')) Folder.prototype.rename = die;

await acceptChange({ layer, host, hostPath, notes }, { path, version });
