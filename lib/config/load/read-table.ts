/** Reads one TOML file from disk into validated values with their places. */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { errnoOf, type Place, SbxError } from '../../errors.ts';
import { fileSchema } from '../schema/schema.ts';
import { checkSize, readToml } from '../toml/read-toml.ts';
import { annotate, type Table } from './provenance.ts';
import { invalid } from './validation-error.ts';

/** `from`: the place in another file that refers to it. */
export async function readTable(file: string, from?: Place): Promise<Table> {
  const place = from ?? { file, line: 1, column: 1 };
  try {
    check(await stat(file), file, place);
    // A pipe may have replaced it meanwhile: without O_NONBLOCK, opening that would block a thread.
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    check(await handle.stat(), file, place);
    return parseFile(await handle.readFile(), file);
  } catch (error) {
    const code = errnoOf(error);
    if (error instanceof SbxError || code === undefined) throw error;
    throw new SbxError('config-not-found', `${file} cannot be read`, {
      place,
      why: code === 'ENOENT' ? 'the file does not exist' : code,
      hint: 'check its path and permissions',
      cause: error,
    });
  }
}

function check(found: Stats, file: string, place: Place): void {
  if (!found.isFile())
    throw new SbxError('config-invalid', `${file} is not a file`, { place, hint: 'use the path of a TOML file' });
  checkSize(found.size, place);
}

/** @throws SbxError `config-syntax` or `config-invalid`, with the place. */
function parseFile(bytes: Buffer, file: string): Table {
  const { value, positions } = readToml(bytes, file);
  const checked = fileSchema.safeParse(value);
  if (!checked.success) throw invalid(checked.error.issues, value, positions);
  return annotate(value, positions) as Table;
}
