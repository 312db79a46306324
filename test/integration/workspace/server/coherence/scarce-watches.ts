/** Serves a folder where the kernel gives few watches, and prints what the guest's kernel may cache, as JSON: `FOLDER`. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HostWatches } from '../../../../../lib/workspace/watch/host-watches.ts';
import { Rig, ROOT } from '../rig.ts';
import { name as nameBytes, OP } from '../wire.ts';

const [dir = ''] = process.argv.slice(2);
/** As the workspace server makes them: from what the host says of all its users' watches */
using watches = new HostWatches();
const states: string[] = [];
await using rig = await Rig.mount(dir, { coherence: { watches, onWatched: (state) => states.push(state) } });

const seen = [];
for (const folder of readdirSync(dir).toSorted()) {
  const { node } = await rig.lookup(ROOT, folder);
  const body = await rig.call(OP.LOOKUP, node, nameBytes('file'));
  const [entrySeconds, attributeSeconds] = [16, 24].map((at) => Number(body.readBigUInt64LE(at)));
  const file = Number(body.readBigUInt64LE(0));
  const before = await contentOf(file);
  writeFileSync(join(dir, folder, 'file'), 'a longer content of the host');
  const { size } = await rig.getattr(file);
  seen.push({ folder, entrySeconds, attributeSeconds, before, size: Number(size), after: await contentOf(file) });
}
process.stdout.write(JSON.stringify({ states, watched: watches.size, seen }));

/** And whether the kernel may keep what it had read before, at the second open */
async function contentOf(file: number) {
  await rig.release(file, await rig.open(file));
  const body = await rig.call(OP.OPEN, file, Buffer.alloc(8));
  const handle = Number(body.readBigUInt64LE(0));
  const content = (await rig.read(file, handle)).toString();
  await rig.release(file, handle);
  return { content, keeps: (body.readUInt32LE(8) & 2) !== 0 };
}
