/** sandbox.toml(5): every key, from the schema. */
import { describeFile, type Row } from '../config/schema/describe.ts';
import { bold, entry, inline, literal, renderPage, verbatim } from './roff.ts';

/** @param example a whole sandbox.toml */
export function filePage(example: string, version: string): string {
  const { top, tables } = describeFile();
  return renderPage({
    name: 'sandbox.toml',
    section: 5,
    brief: 'describes the sandboxes of a project',
    version,
    parts: [
      { title: 'DESCRIPTION', lines: [inline(DESCRIPTION)] },
      { title: 'TOP LEVEL', lines: top.flatMap(row) },
      {
        title: 'TABLES',
        lines: tables.flatMap(({ heading, meaning, rows }) => [
          `.SS ${literal(heading)}`,
          inline(`${meaning}.`),
          ...rows.flatMap(row),
        ]),
      },
      { title: 'EXAMPLE', lines: verbatim(example.trimEnd().split('\n')) },
      { title: 'SEE ALSO', lines: [`${bold('sbx')}(1), ${bold('sbx-validate')}(1), ${bold('sbx-plan')}(1)`] },
    ],
  });
}

const DESCRIPTION =
  'A TOML file in the folder of a project. `sbx init` writes a first one, `sbx validate` checks it, `sbx apply` makes the sandboxes match it. Unknown keys are errors.';

function row({ key, type, preset, meaning }: Row): string[] {
  const about = [type, preset === '' || preset === 'required' ? preset : `default ${preset}`].filter(Boolean);
  return entry(`${bold(key)} (${inline(about.join(', '))})`, meaning);
}
