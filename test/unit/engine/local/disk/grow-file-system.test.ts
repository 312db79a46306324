/** How the answer of a guest is taken. The guest is a test double: the script itself runs in the e2e tests. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { growFileSystem } from '../../../../../lib/engine/local/disk/grow-file-system.ts';
import { SbxError } from '../../../../../lib/errors.ts';
import type { GuestConnection } from '../../../../../lib/guest/client/connection.ts';

/** `code` undefined: it never answers. */
function guest(code: number | undefined, said = '') {
  const asked: unknown[] = [];
  const exec = (request: unknown) => {
    asked.push(request);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let lose = (_: Error) => {};
    const exit = new Promise<{ code: number }>((resolve, reject) => {
      lose = reject;
      if (code === undefined) return;
      stdout.end();
      stderr.end(said);
      resolve({ code });
    });
    return {
      ...{ stdout, stderr, exit },
      [Symbol.asyncDispose]: async () => lose(new SbxError('guest-protocol', 'the stream was reset')),
    };
  };
  return { guest: { exec } as unknown as GuestConnection, asked };
}

const growth = (signal = new AbortController().signal) => ({ name: 'shop', bytes: 30, signal });

test('it runs as root, with the size that the disk must have', async () => {
  const { guest: one, asked } = guest(0);
  await growFileSystem(one, growth());
  expect(asked).toMatchObject([{ user: 'root', argv: expect.arrayContaining(['30']) }]);
});

test('a failure has its last line, and the way out', async () => {
  await expect(growFileSystem(guest(1, 'first\nno space\n').guest, growth())).rejects.toMatchObject({
    code: 'guest-failed',
    why: 'no space',
    hint: expect.stringContaining('sbx restart shop'),
  });
});

test('of a guest that says a lot only the end is kept', async () => {
  const said = `${'x'.repeat(10_000_000)} no space`;
  const failed = await growFileSystem(guest(1, said).guest, growth()).catch((error: unknown) => error);
  expect((failed as SbxError).why).toMatch(/^x+ no space$/);
  expect((failed as SbxError).why?.length).toBe(4096);
});

test.each(['before', 'while'])('an abort %s it runs ends it, also when the guest does not answer', async (when) => {
  const abort = new AbortController();
  const reason = new SbxError('cancelled', 'the work was cancelled');
  if (when === 'before') abort.abort(reason);
  const growing = growFileSystem(guest(undefined).guest, growth(abort.signal));
  abort.abort(reason);
  await expect(growing).rejects.toBe(reason);
});
