/** Normalizes values for comparison. Pure. */

/** Lists are compared as sets; entries lose their places. */
export function comparable(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const plain = value.map((item) =>
    typeof item === 'object' && item !== null ? describeEntry(item as Record<string, unknown>) : item,
  );
  return plain.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

export function describeEntry(item: Record<string, unknown>): unknown {
  const { source: _, text, pattern, trusted, ...rest } = item;
  if (pattern === undefined) return rest;
  return trusted === true ? `${pattern} (${text})` : pattern;
}
