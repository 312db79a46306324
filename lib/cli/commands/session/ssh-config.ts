/** `sbx ssh-config`: prints the host entries of sandboxes for ssh, and makes ssh read them. */
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { SbxError } from '../../../errors.ts';
import { sshConfigPattern } from '../../../paths.ts';
import { includeLine } from '../../../ssh/host-entry.ts';
import { installInclude, removeInclude, type UserConfig } from '../../../ssh/user-config.ts';
import { writeEntry } from '../../../ssh/write-entry.ts';
import { readGuestFolders } from '../../../system/guest-folders.ts';
import type { Run } from '../../command/command.ts';
import type { SbxContext } from '../../command/context.ts';
import { daemonOf, ownSandboxes, resolveSandbox } from '../../command/project.ts';
import { inOneLine } from '../../view/printable.ts';

interface Flags {
  install: boolean;
  uninstall: boolean;
  file?: string;
}

export async function sshConfig({ context, cwd, view, flags, args }: Run<Flags, [string?]>): Promise<number> {
  const config = userConfig(context, flags.file === undefined ? undefined : resolve(cwd, flags.file));
  if (flags.install && flags.uninstall)
    throw new SbxError('usage', '--install and --uninstall are mutually exclusive', { hint: 'give one of them' });
  if (flags.file !== undefined && !flags.install && !flags.uninstall)
    throw new SbxError('usage', '--file is the file of --install or --uninstall', { hint: 'add one of them' });
  if (flags.uninstall && args[0] !== undefined)
    throw new SbxError('usage', '--uninstall takes no name', {
      why: 'it removes the line that reads the entries of all sandboxes',
      hint: `remove ${inOneLine(args[0])}; the entry of a sandbox goes away with it`,
    });
  if (flags.uninstall) {
    const changed = await removeInclude(config);
    view.result(
      { file: config.file, changed },
      `${config.file} ${changed ? 'does not name sbx any more' : 'did not name sbx'}`,
    );
    return 0;
  }
  const entries = await entriesOf({ context, cwd }, args[0]);
  if (!flags.install) {
    view.result(entries, entries.map(({ text }) => text).join('\n'));
    return 0;
  }
  const changed = await installInclude(config);
  const lines = [
    changed ? `added to ${config.file}: ${config.line}` : `${config.file} has the line already`,
    ...entries.map(({ host }) => `ssh ${host}`),
  ];
  view.result({ file: config.file, changed, hosts: entries.map(({ host }) => host) }, lines.map(inOneLine).join('\n'));
  return 0;
}

/** ssh looks for its file in the home of the user's entry, whatever HOME says. */
export function userConfig({ home }: SbxContext, file = join(userInfo().homedir, '.ssh', 'config')): UserConfig {
  return { file, line: includeLine(sshConfigPattern(home)), guestFolders: readGuestFolders(home.guestFolders) };
}

/** Of one sandbox, or of all of the project. */
async function entriesOf({ context, cwd }: { context: SbxContext; cwd: string }, name: string | undefined) {
  const client = await daemonOf(context);
  const { own, all, list } = await ownSandboxes(client, cwd);
  const isOne = name !== undefined || own === undefined || list.length === 0;
  const wanted = isOne ? [await resolveSandbox(client, cwd, name)] : list;
  const program = programOf(context);
  return Promise.all(wanted.map((sandbox) => writeEntry({ home: context.home, sandbox, all, program })));
}

/** The path by which this sbx was started: it stays when sbx is updated. */
export function programOf({ process }: SbxContext): string {
  return resolve(process.argv[1] ?? 'sbx');
}
