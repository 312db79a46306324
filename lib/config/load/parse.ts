/** One file → checked values that know their places. */

import { fileSchema } from '../schema/schema.ts';
import { readToml } from '../toml/read-toml.ts';
import { type Annotated, annotate } from './provenance.ts';
import { invalid } from './validation-error.ts';

type Table = Extract<Annotated, { kind: 'table' }>;

/** @throws SbxError `config-syntax` or `config-invalid`, with the place. */
export function parseFile(bytes: Buffer, file: string): Table {
  const { value, positions } = readToml(bytes, file);
  const checked = fileSchema.safeParse(value);
  if (!checked.success) throw invalid(checked.error.issues, value, positions);
  return annotate(value, positions) as Table;
}
