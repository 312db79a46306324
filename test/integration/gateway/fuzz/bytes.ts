/** What the fuzzers of the listener share: messages that are almost right, and how long they are tried. */
import fc, { type Arbitrary, type Parameters } from 'fast-check';
import type { Client } from '../rig.ts';

/** Longer by hand: SBX_FUZZ_SECONDS=3600 SBX_FUZZ_SEED=7 */
const SECONDS = Number(process.env['SBX_FUZZ_SECONDS'] ?? 30);

/** As many runs as fit into the time. A run that is under way ends in its own time. */
export function asLongAsAllowed(seed: number): Parameters<unknown> {
  return {
    seed: Number(process.env['SBX_FUZZ_SEED'] ?? seed),
    numRuns: Number.MAX_SAFE_INTEGER,
    interruptAfterTimeLimit: SECONDS * 1_000,
    markInterruptAsFailure: false,
    endOnFailure: true,
  };
}

/** A right message with up to four places cut, filled or both. */
export function almost(messages: readonly string[], tokens: readonly string[]): Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(600),
    cut: fc.nat({ max: 12 }),
    put: fc.oneof(fc.constantFrom(...tokens), fc.string({ maxLength: 4, unit: 'binary-ascii' })),
  });
  return fc.tuple(fc.constantFrom(...messages), fc.array(change, { maxLength: 4 })).map(([message, changes]) =>
    changes.reduce((text, { at, cut, put }) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + cut);
    }, message),
  );
}

/** All of it, then the end; done when the other side has ended as well. */
export async function askAndLeave(client: Client, bytes: string): Promise<void> {
  client.send(bytes);
  client.socket.end();
  await client.end();
  client.socket.destroy();
}
