/** Rows of the bench and how they are shown. */
export interface Row {
  what: string;
  unit: 'ms' | 'MB' | 'MB/s' | '×';
  /** Median */
  value: number;
  /** What could not be beaten, measured in the same run */
  floor: { what: string; value: number } | undefined;
  /** As design.md holds it; undefined: it stands for itself */
  heldTo?: string;
  met?: boolean;
  samples: number;
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export async function samples(count: number, once: () => Promise<number>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push(await once());
  return all;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

export function table(rows: Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    show(row.value, row.unit),
    row.floor === undefined ? '–' : `${show(row.floor.value, row.unit)} (${row.floor.what})`,
    row.heldTo ?? '–',
    row.met === undefined ? '–' : row.met ? 'yes' : 'NO',
    String(row.samples),
  ]);
  return [['what', 'median', 'floor', 'held to', 'met', 'n'], ['---', '---', '---', '---', '---', '---'], ...cells]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function show(value: number, unit: Row['unit']): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return unit === '×' ? `${value.toFixed(digits)} ×` : `${value.toFixed(digits)} ${unit}`;
}
