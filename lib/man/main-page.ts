/** sbx(1): the commands by task, with what all of them share. */
import { EXAMPLES, SECTIONS } from '../cli/help.ts';
import { pageName } from './command-page.ts';
import type { TableRow } from './docs-table.ts';
import { bold, entry, inline, renderPage, verbatim } from './roff.ts';

export interface Shared {
  exitCodes: TableRow[];
  environment: TableRow[];
  /** In the state folder */
  files: TableRow[];
}

export function mainPage(briefs: ReadonlyMap<string, string>, shared: Shared, version: string): string {
  return renderPage({
    name: 'sbx',
    section: 1,
    brief: 'runs coding agents unattended and safely, each in its own microVM',
    version,
    parts: [
      { title: 'SYNOPSIS', lines: [`${bold('sbx')} COMMAND [OPTIONS] [ARGUMENTS]`] },
      { title: 'DESCRIPTION', lines: [inline(DESCRIPTION)] },
      { title: 'COMMANDS', lines: commands(briefs) },
      { title: 'EXAMPLES', lines: verbatim(EXAMPLES.flatMap(([line, what]) => [`# ${what}`, line])) },
      { title: 'EXIT STATUS', lines: shared.exitCodes.flatMap(row) },
      { title: 'ENVIRONMENT', lines: shared.environment.flatMap(row) },
      { title: 'FILES', lines: [inline(FILES), ...shared.files.flatMap(row)] },
      { title: 'SEE ALSO', lines: [`${bold('sandbox.toml')}(5); ${inline(SEE_ALSO)}`] },
    ],
  });
}

const DESCRIPTION =
  'A project has a file `sandbox.toml`, and `sbx apply` makes the sandboxes match it. Each command has a page of its own: that of `sbx net log` is `sbx-net-log`(1). Every command takes `--json`, `--project DIR` and `--help`.';
const FILES = 'In the state folder, by default `~/.local/share/sbx`:';
const SEE_ALSO =
  'the pages in the folder `docs` of the package, in `$(npm root -g)/sbx/docs` after a global installation. `sbx doctor` checks this host.';

function commands(briefs: ReadonlyMap<string, string>): string[] {
  return SECTIONS.flatMap(([title, names]) => [
    `.SS ${title}`,
    ...names.flatMap((name) => entry(`${bold(pageName(name))}(1)`, `${briefs.get(name) ?? ''}.`)),
  ]);
}

function row([first, ...more]: TableRow): string[] {
  return entry(inline(first), more.join('; '));
}
