/** What a guest says of its services is shown on a terminal: nothing else of its answer gets there. */
import { expect, test } from 'vitest';
import { servicesIn } from '../../../../../lib/engine/local/ports/listening.ts';
import type { GuestConnection } from '../../../../../lib/guest/client/connection.ts';

const answering = (answer: unknown) =>
  servicesIn({ request: async () => answer } as unknown as Pick<GuestConnection, 'request'>);

test('ports and short names are taken', async () => {
  expect(await answering({ ports: [{ port: 80, program: 'nginx' }, { port: 5173 }] })).toEqual([
    { port: 80, program: 'nginx' },
    { port: 5173, program: undefined },
  ]);
});

test.each([
  [undefined],
  [null],
  ['ports'],
  [{ ports: 'all' }],
  [{ ports: [null, 80, 'x', {}, { port: '80' }, { port: 0 }, { port: 65_536 }, { port: 1.5 }, { port: Number.NaN }] }],
])('%j has none', async (answer) => {
  expect(await answering(answer)).toEqual([]);
});

test.each([['\u001b[2J'], ['a\nb'], ['a'.repeat(16)], ['\u202Eevil'], [''], [7]])(
  'the name %j is not shown',
  async (program) => {
    expect(await answering({ ports: [{ port: 80, program }] })).toEqual([{ port: 80, program: undefined }]);
  },
);

test('a flood is cut', async () => {
  const ports = Array.from({ length: 10_000 }, (_, index) => ({ port: index + 1 }));
  expect(await answering({ ports })).toHaveLength(64);
});
