/** Shows how far a copy is: what has been moved, of how much, how fast. */
import { type Meter, newMeter } from '../../../guest/copy/types.ts';
import { size } from '../../view/size.ts';
import type { Progress, View } from '../../view/types.ts';

const INTERVAL_MS = 200;
/** The rate is that of the last 3 s */
const SAMPLES = 15;

export interface Moved {
  moved: number;
  total: number | undefined;
  /** In bytes a second; undefined at first */
  rate: number | undefined;
}

/** Draws from the first interval on: most copies are over by then. */
export async function withMeter<T>(view: View, title: string, work: (meter: Meter) => Promise<T>): Promise<T> {
  const meter = newMeter();
  const samples: { at: number; moved: number }[] = [];
  let progress: Progress | undefined;
  const timer = setInterval(() => {
    samples.push({ at: performance.now(), moved: meter.moved });
    if (samples.length > SAMPLES) samples.shift();
    const text = meterText(title, { ...meter, rate: rateOf(samples) });
    progress ??= view.meter(text);
    progress.update(text);
  }, INTERVAL_MS);
  try {
    return await work(meter);
  } finally {
    clearInterval(timer);
    progress?.done();
  }
}

/** The archive is somewhat larger than its files: it never shows more than all of them. */
export function meterText(title: string, { moved, total, rate }: Moved): string {
  const part = total === undefined ? size(moved) : `${size(Math.min(moved, total))} of ${size(total)}`;
  return rate === undefined ? `${title}: ${part}` : `${title}: ${part}, ${size(rate)}/s`;
}

function rateOf(samples: { at: number; moved: number }[]): number | undefined {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (first === undefined || last === undefined || first === last) return undefined;
  return Math.round(((last.moved - first.moved) * 1000) / (last.at - first.at));
}
