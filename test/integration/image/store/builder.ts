/** A process that builds one layer, started by the tests: `builder.mjs STORE KEY BYTES`. Writes one line to stdout for each thing that happens. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SbxError } from '../../../../lib/errors.ts';
import { openStore } from '../../../../lib/image/store/store.ts';

const [root = '', key = '', bytes = '0'] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);

try {
  const layer = await openStore(root).build(
    'test',
    key,
    { parents: [], description: 'of a test' },
    async (dir) => {
      say('fill');
      const file = openSync(join(dir, 'data'), 'w');
      const chunk = Buffer.alloc(1024 * 1024, key[0]);
      for (let left = Number(bytes); left > 0; left -= chunk.length) {
        writeSync(file, chunk, 0, Math.min(left, chunk.length));
        await new Promise((resolve) => setImmediate(resolve));
      }
      closeSync(file);
      say('filled');
    },
    { onWait: () => say('waits') },
  );
  say(`built ${layer.dir}`);
} catch (error) {
  say(error instanceof SbxError ? `error ${error.code} | ${error.why} | ${error.hint}` : `error ${String(error)}`);
  process.exitCode = 1;
}
