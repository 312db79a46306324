import { describe, expect, test } from 'vitest';
import { createClockWatch } from '../../../../../lib/engine/local/guests/clock-sync.ts';
import type { GuestConnection } from '../../../../../lib/guest/client/connection.ts';

/** A host's clock and a guest's, and how long the guest takes to answer. */
function rig(behindMs: number, takesMs = 0) {
  let hostMs = 1_000_000;
  let guestBehind = behindMs;
  const set: number[] = [];
  const guest = {
    request: async (_service: string, { forwardMs }: { forwardMs?: number }) => {
      if (forwardMs !== undefined) {
        set.push(forwardMs);
        guestBehind -= forwardMs;
      }
      // It looks at its clock at the very end: the worst that may be.
      hostMs += takesMs;
      return { nowMs: hostMs - guestBehind };
    },
  } as unknown as Pick<GuestConnection, 'request'>;
  return { watch: createClockWatch(() => hostMs), guest, set, behind: () => guestBehind };
}

describe('the clock of a guest', () => {
  test.each([90_000, -90_000, 400])('that is %i ms behind is set', async (behindMs) => {
    const { watch, guest, behind } = rig(behindMs);
    await watch.check([guest]);
    expect(Math.abs(behind())).toBeLessThan(2);
  });

  test.each([0, 200, -200])('that is %i ms behind is left alone', async (behindMs) => {
    const { watch, guest, set } = rig(behindMs);
    await watch.check([guest]);
    expect(set).toEqual([]);
  });

  test('is not set by what only the question took', async () => {
    const { watch, guest, set } = rig(0, 4_000);
    await watch.check([guest]);
    expect(set).toEqual([]);
  });

  test('is set half way right at least, however long the question took', async () => {
    const { watch, guest, behind } = rig(3_600_000, 4_000);
    await watch.check([guest]);
    expect(Math.abs(behind())).toBeLessThanOrEqual(2_000);
  });

  test('of one that does not answer, or refuses, keeps nobody else from theirs, and is not asked twice at once', async () => {
    let asked = 0;
    const silent = {
      request: () => {
        asked += 1;
        return new Promise<never>(() => {});
      },
    } as unknown as Pick<GuestConnection, 'request'>;
    const refusing = { request: () => Promise.reject(new Error('no')) } as unknown as Pick<GuestConnection, 'request'>;
    const { watch, guest, behind } = rig(90_000);
    void watch.check([silent, refusing, guest]);
    await watch.check([guest]);
    void watch.check([silent]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([asked, Math.abs(behind())]).toEqual([1, 0]);
  });
});
