/** Generates the manual pages and the completion scripts of the package. */
import { briefs, describedCommands } from '../cli/app.ts';
import { SCRIPTS } from '../cli/commands/host/completion-scripts.ts';
import { commandPage, pageName } from './command-page.ts';
import { tableBelow } from './docs-table.ts';
import { filePage } from './file-page.ts';
import { mainPage } from './main-page.ts';

interface Sources {
  version: string;
  /** `docs/commands.md` */
  commands: string;
  /** `docs/upgrade-and-uninstall.md` */
  upgrade: string;
  /** A whole sandbox.toml */
  example: string;
}

/** @returns the files of `man/`: name → text */
export function renderManual({ version, commands, upgrade, example }: Sources): Record<string, string> {
  const shared = {
    exitCodes: tableBelow(commands, '## Exit codes'),
    environment: tableBelow(commands, '## Environment variables'),
    files: tableBelow(upgrade, '## Where sbx stores data'),
  };
  const pages = [...describedCommands()].map(([words, command]) => [
    `${pageName(words)}.1`,
    commandPage(words, command, version),
  ]);
  return {
    'sbx.1': mainPage(briefs(), shared, version),
    'sandbox.toml.5': filePage(example, version),
    ...Object.fromEntries(pages),
  };
}

/** Where the shell looks for a file of the command, its name there */
const FILES: Readonly<Record<string, string>> = { bash: 'sbx.bash', zsh: '_sbx', fish: 'sbx.fish' };

/** @returns the files of `completions/`: name → text */
export function renderCompletions(): Record<string, string> {
  return Object.fromEntries(Object.entries(SCRIPTS).map(([shell, script]) => [FILES[shell] ?? shell, `${script}\n`]));
}
