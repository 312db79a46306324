/** One hash for equal values, in whatever order their keys stand. Pure. */
import { createHash } from 'node:crypto';

/** Hex SHA-256. Keys whose value is undefined do not count; only plain data is allowed. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalText(value)).digest('hex');
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalText(item)}`);
    return `{${entries.join(',')}}`;
  }
  const text = JSON.stringify(value) as string | undefined;
  // Infinity would otherwise be equal to null, and a function to nothing.
  if (text === undefined || (typeof value === 'number' && !Number.isFinite(value)))
    throw new TypeError(`not plain data: ${String(value)}`);
  return text;
}
