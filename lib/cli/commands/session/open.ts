/** `sbx open`: opens the workspace of a sandbox in an editor of the host, over ssh. */
import { SbxError } from '../../../errors.ts';
import { EDITORS, editorCommand } from '../../../ssh/editors.ts';
import { isInstalled } from '../../../ssh/user-config.ts';
import { writeEntry } from '../../../ssh/write-entry.ts';
import { runToEnd } from '../../../system/run-tool.ts';
import type { Run } from '../../command/command.ts';
import { daemonOf, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';
import { folderInside } from './exec-place.ts';
import { programOf, userConfig } from './ssh-config.ts';

type Input = Run<{ editor: string; print: boolean }, [string?]>;

export async function open({ context, cwd, view, flags, args }: Input): Promise<number> {
  if (!EDITORS.includes(flags.editor))
    throw new SbxError('usage', `unknown editor: ${flags.editor}`, {
      why: `sbx knows ${EDITORS.join(', ')}`,
      hint: 'for another one, give it the host name that `sbx ssh-config --install` prints',
    });
  const client = await daemonOf(context);
  const sandbox = await resolveSandbox(client, cwd, args[0]);
  const all = await client.list();
  const { host } = await writeEntry({ home: context.home, sandbox, all, program: programOf(context) });
  const command = editorCommand(flags.editor, { host, path: folderInside(sandbox.workspace, cwd, undefined) });
  if (flags.print) {
    view.result({ command, host }, inOneLine(command.map(quoted).join(' ')));
    return 0;
  }
  refuseWithoutEntry(userConfig(context));
  await start(command);
  view.result({ command, host }, `opened in ${flags.editor}: ${host}`);
  return 0;
}

function refuseWithoutEntry(config: ReturnType<typeof userConfig>): void {
  if (isInstalled(config)) return;
  throw new SbxError('usage', 'the editor would not find the sandbox', {
    why: `${config.file} does not name the host entries of sbx, or too late in the file`,
    hint: 'run `sbx ssh-config --install` once; if another file of yours includes them, run the command that --print shows',
  });
}

async function start([program = '', ...args]: string[]): Promise<void> {
  const { code, tail } = await runToEnd(program, args).catch((cause: unknown) => {
    if (!(cause instanceof SbxError && cause.code === 'tool-missing')) throw cause;
    throw new SbxError('tool-missing', `${program} is not installed`, {
      why: `there is no program ${program} on the PATH, or it is in a folder that a sandbox can write`,
      hint: 'name another one with --editor, or see the command with --print',
      cause,
    });
  });
  if (code === 0) return;
  throw new SbxError('editor-failed', `${program} ended with exit code ${code}`, {
    why: inOneLine(tail.join('; ')) || 'it said nothing',
    hint: 'see the command with --print; Code and its like need the extension Remote - SSH',
  });
}

function quoted(word: string): string {
  return /^[\w./+:@%=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
