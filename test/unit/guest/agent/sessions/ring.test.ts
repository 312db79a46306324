import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ring } from '../../../../../lib/guest/agent/sessions/ring.ts';

describe('the ring', () => {
  test('keeps the last bytes, and reports those that are dropped', () => {
    const gone: string[] = [];
    const ring = new Ring(4, (bytes) => gone.push(bytes.toString()));
    ring.push(Buffer.from('abc'));
    expect([ring.start, ring.end, ring.read(0, 9).toString()]).toEqual([0, 3, 'abc']);
    ring.push(Buffer.from('def'));
    expect([ring.start, ring.end, ring.read(0, 9).toString()]).toEqual([2, 6, 'cdef']);
    ring.push(Buffer.from('0123456789'));
    expect([ring.start, ring.end, ring.read(13, 2).toString()]).toEqual([12, 16, '78']);
    expect(gone.join('')).toBe('abcdef012345');
    expect(ring.read(16, 5).length).toBe(0);
  });

  test('an empty ring has no bytes', () => {
    expect(new Ring(4).read(0, 4)).toEqual(Buffer.alloc(0));
  });

  test('holds the end of all pushed bytes, for any split', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70_000 }),
        fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 12 }),
        (capacity, sizes) => {
          let dropped = 0;
          const ring = new Ring(capacity, (bytes) => {
            dropped += bytes.length;
          });
          let all = Buffer.alloc(0);
          for (const [index, size] of sizes.entries()) {
            const piece = Buffer.alloc(size, `${index}.`);
            all = Buffer.concat([all, piece]);
            ring.push(piece);
          }
          expect(ring.end).toBe(all.length);
          expect(ring.start).toBe(dropped);
          expect(ring.end - ring.start).toBeLessThanOrEqual(capacity);
          expect(ring.end - ring.start).toBeGreaterThanOrEqual(Math.min(all.length, capacity));
          expect(ring.read(0, all.length).equals(all.subarray(dropped))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});
