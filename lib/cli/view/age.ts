/** Ages for a reader. Pure. */

const UNITS: [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
];

/** `5m`, `3h`: the largest unit only */
export function ageOf(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1_000));
  const [name, unit] = UNITS.find(([, size]) => seconds >= size) ?? ['s', 1];
  return Number.isNaN(seconds) ? '-' : `${Math.floor(seconds / unit)}${name}`;
}
