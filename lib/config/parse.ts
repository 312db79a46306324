/** One file → checked values that know their places. */
import { type Annotated, annotate } from './annotated.ts';
import { invalid } from './issues.ts';
import { fileSchema } from './schema.ts';
import { readToml } from './toml.ts';

type Table = Extract<Annotated, { kind: 'table' }>;

/** @throws SbxError `config-syntax` or `config-invalid`, with the place. */
export function parseFile(bytes: Buffer, file: string): Table {
  const { value, positions } = readToml(bytes, file);
  const checked = fileSchema.safeParse(value);
  if (!checked.success) throw invalid(checked.error.issues, value, positions);
  return annotate(value, positions) as Table;
}
