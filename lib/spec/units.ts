/** Parses and formats sizes and durations. Pure. */

export const SIZE = /^\d{1,9}(\.\d{1,6})?\s?([KMGT]i?B)$/;
export const DURATION = /^(0|(\d{1,6}[smhd])+)$/;

const BYTES: Record<string, number> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `2GiB`, `512 MiB`, `1.5GB` → bytes; undefined when it is not a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  const unit = BYTES[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Math.round(Number.parseFloat(text) * unit);
}

/** Bytes → `2 GiB`, `1.5 GiB`, `2 GB`: exact, in the largest unit with at most two decimals. */
export function formatSize(bytes: number): string {
  const units = Object.entries(BYTES).toSorted(([, a], [, b]) => b - a);
  const countIn = (size: number) => Math.round((bytes * 100) / size) / 100;
  // As `parseSize` reads it: 1.2 GiB is no whole number of bytes.
  const fits = units.find(([, size]) => bytes >= size && Math.round(countIn(size) * size) === bytes);
  return fits === undefined ? `${bytes} bytes` : `${countIn(fits[1])} ${fits[0]}`;
}

/** `2h`, `30m`, `1h30m`, `0` → seconds; undefined when it is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (SECONDS[unit ?? ''] ?? 0),
    0,
  );
}

/** Seconds → `2h`, `1h30m`, `45s`. */
export function formatDuration(seconds: number): string {
  const parts: string[] = [];
  let left = seconds;
  for (const [unit, size] of Object.entries(SECONDS).toReversed()) {
    if (left >= size) parts.push(`${Math.floor(left / size)}${unit}`);
    left %= size;
  }
  return parts.length === 0 ? '0' : parts.join('');
}
