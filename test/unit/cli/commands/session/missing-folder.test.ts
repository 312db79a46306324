import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { folderThatExists } from '../../../../../lib/cli/commands/session/missing-folder.ts';
import type { GuestConnection } from '../../../../../lib/guest/client/connection.ts';

async function folder({ wanted, isChosen = false, code }: { wanted: string; isChosen?: boolean; code: number }) {
  const asked: string[][] = [];
  const notes: string[] = [];
  const guest = {
    exec({ argv }: { argv: string[] }) {
      asked.push(argv);
      return { exit: Promise.resolve({ code }), stdout: Readable.from([]), stderr: Readable.from([]) };
    },
  } as unknown as Pick<GuestConnection, 'exec'>;
  const note = (line: string) => void notes.push(line);
  const used = await folderThatExists(guest, { wanted, isChosen, workspace: '/w', note });
  return { used, asked: asked.length, notes };
}

test("the caller's folder that is missing inside: the workspace, with one line", async () => {
  const { used, notes } = await folder({ wanted: '/w/sub', code: 1 });
  expect([used, notes]).toEqual(['/w', [expect.stringContaining('/w/sub does not exist in the sandbox')]]);
});

test('a folder that exists, and one that the guest cannot answer for, are used', async () => {
  for (const code of [0, 126, 127, 137])
    expect(await folder({ wanted: '/w/sub', code })).toEqual({ used: '/w/sub', asked: 1, notes: [] });
});

test('-w is never replaced, and neither it nor the workspace itself costs a question', async () => {
  expect(await folder({ wanted: '/w/sub', isChosen: true, code: 1 })).toEqual({ used: '/w/sub', asked: 0, notes: [] });
  expect(await folder({ wanted: '/w', code: 1 })).toEqual({ used: '/w', asked: 0, notes: [] });
});
