/** Copies as they are without one of their checks: a twin shows that the attack then succeeds. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const LIB = join(import.meta.dirname, '../../../../lib/guest');
const ENTRY = `
export { extract } from './copy/extract.ts';
export { Folder } from './copy/folder.ts';
export { Lane, slotMessage } from './copy/lane.ts';
export { LaneReceiver } from './copy/lane-receiver.ts';
export { LaneSender } from './copy/lane-sender.ts';
export { get, put } from './client/transfer.ts';
export { openHostMailbox } from './client/host-mailbox.ts';
export { get as sendOut, put as takeIn } from './agent/copy.ts';
`;

export interface Copies {
  extract: typeof import('../../../../lib/guest/copy/extract.ts').extract;
  Folder: typeof import('../../../../lib/guest/copy/folder.ts').Folder;
  Lane: typeof import('../../../../lib/guest/copy/lane.ts').Lane;
  slotMessage: typeof import('../../../../lib/guest/copy/lane.ts').slotMessage;
  LaneReceiver: typeof import('../../../../lib/guest/copy/lane-receiver.ts').LaneReceiver;
  LaneSender: typeof import('../../../../lib/guest/copy/lane-sender.ts').LaneSender;
  get: typeof import('../../../../lib/guest/client/transfer.ts').get;
  put: typeof import('../../../../lib/guest/client/transfer.ts').put;
  openHostMailbox: typeof import('../../../../lib/guest/client/host-mailbox.ts').openHostMailbox;
  sendOut: typeof import('../../../../lib/guest/agent/copy.ts').get;
  takeIn: typeof import('../../../../lib/guest/agent/copy.ts').put;
}

/** `control`: its text in that file of lib/guest, which `instead` replaces. It MUST be there once. */
export async function withoutControl(file: string, control: string, instead = '{}'): Promise<Copies> {
  const path = join(LIB, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(control).length !== 2) throw new Error(`${file} does not have once: ${control}`);
  const folder = mkdtempSync(join(tmpdir(), 'sbx-control-off-'));
  try {
    const outfile = join(folder, 'copies.mjs');
    await build({
      stdin: { contents: ENTRY, resolveDir: LIB },
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'error',
      plugins: [
        {
          name: 'control-off',
          setup: ({ onLoad }) =>
            onLoad({ filter: new RegExp(`/lib/guest/${file.replaceAll('.', '\\.')}$`) }, () => ({
              contents: source.replace(control, () => instead),
              loader: 'ts',
            })),
        },
      ],
    });
    return (await import(/* @vite-ignore */ pathToFileURL(outfile).href)) as Copies;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
