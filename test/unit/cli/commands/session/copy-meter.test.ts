import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { meterText, withMeter } from '../../../../../lib/cli/commands/session/copy-meter.ts';
import type { View } from '../../../../../lib/cli/view/types.ts';
import { createView } from '../../../../../lib/cli/view/view.ts';

const MIB = 1024 ** 2;

test.each([
  [{ moved: 0, total: undefined, rate: undefined }, 'copying a: 0 B'],
  [{ moved: 3 * MIB, total: undefined, rate: 1.5 * MIB }, 'copying a: 3.0 MiB, 1.5 MiB/s'],
  [{ moved: 3 * MIB, total: 1024 * MIB, rate: 0 }, 'copying a: 3.0 MiB of 1.0 GiB, 0 B/s'],
  [{ moved: 4 * MIB, total: 3 * MIB, rate: undefined }, 'copying a: 3.0 MiB of 3.0 MiB'],
])('%j is shown as %s', (moved, text) => {
  expect(meterText('copying a', moved)).toBe(text);
});

describe('the meter', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function recorded() {
    const lines: string[] = [];
    const progress = {
      update: (text: string) => lines.push(text),
      note: () => {},
      done: () => lines.push('done'),
      fail: () => {},
    };
    return { lines, view: { meter: () => progress } as unknown as View };
  }

  test('shows what was moved and how fast, and is removed at the end, also of a failure', async () => {
    const { lines, view } = recorded();
    const copying = withMeter(view, 'copying', async (meter) => {
      meter.total = 4 * MIB;
      for (let step = 0; step < 2; step += 1) {
        meter.moved += MIB;
        await vi.advanceTimersByTimeAsync(200);
      }
      throw new Error('broken');
    });
    await expect(copying).rejects.toThrow('broken');
    expect(lines).toEqual(['copying: 1.0 MiB of 4.0 MiB', 'copying: 2.0 MiB of 4.0 MiB, 5.0 MiB/s', 'done']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(lines.length).toBe(3);
  });

  test('is not drawn for a copy that is over at once', async () => {
    const { lines, view } = recorded();
    await withMeter(view, 'copying', async () => {});
    expect(lines).toEqual([]);
  });

  test.each([[true], [false]])('writes nothing where nothing can be drawn (json: %s)', async (json) => {
    const written: string[] = [];
    const stream = { isTTY: false, write: (text: string) => written.push(text) };
    const view = await createView(json, { stdout: stream, stderr: stream, stdin: {}, env: {} } as never);
    await withMeter(view, 'copying', async () => void (await vi.advanceTimersByTimeAsync(1000)));
    expect(written).toEqual([]);
  });
});
