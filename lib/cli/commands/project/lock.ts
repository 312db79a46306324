/** `sbx lock`: fetches the templates of repositories and pins them in sandbox.lock. */
import type { Pinned } from '../../../config/remote/fetching.ts';
import { runToEnd } from '../../../system/run-tool.ts';
import type { Run } from '../../command/command.ts';
import { fetchTemplates } from '../../command/with-templates.ts';
import { inOneLine } from '../../view/printable.ts';

const DEADLINE_MS = 20_000;

export async function lock({ context, cwd, view, flags }: Run<{ update: boolean }>): Promise<number> {
  const { pinned, isWritten } = await fetchTemplates({ context, cwd, view, pin: true, update: flags.update });
  const templates = await Promise.all(pinned.map(reported));
  const lines = templates.flatMap(({ line, diff }) => [line, ...(diff === '' ? [] : [diff])]);
  view.result(
    { changed: isWritten, templates: templates.map(({ line: _, ...rest }) => rest) },
    templates.length === 0 ? 'no template of a repository is used' : lines.join('\n'),
  );
  return 0;
}

async function reported({ reference, before, after, trees }: Pinned) {
  const diff = before === undefined || before.content === after.content ? '' : await diffOf(trees);
  return {
    reference,
    commit: after.commit,
    before: before?.commit ?? null,
    diff,
    line: inOneLine(`${reference}: ${lineOf(before?.commit, after.commit)}`),
  };
}

function lineOf(before: string | undefined, after: string): string {
  if (before === undefined) return `pinned at ${after}`;
  return before === after ? `still ${after}` : `${before} → ${after}; \`sbx plan\` shows what it changes`;
}

/** By the host's git, without its configuration. Empty where the files of before are not on this machine. */
async function diffOf({ before, after }: Pinned['trees']): Promise<string> {
  if (before === undefined) return '';
  const words = ['diff', '--no-index', '--no-color', '--no-ext-diff', '--no-textconv', '--', before, after];
  const env = { PATH: process.env['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' };
  const { stdout } = await runToEnd('git', words, { cwd: '/', env, deadlineMs: DEADLINE_MS });
  return stdout
    .replaceAll(`a${before}/`, 'a/')
    .replaceAll(`b${after}/`, 'b/')
    .split('\n')
    .map((line) => inOneLine(line))
    .join('\n');
}
