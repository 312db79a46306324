/** Git's system configuration of a guest: the user of the host, and what git asks of a workspace that is served. */
import { homedir } from 'node:os';
import type { SandboxSpec } from '../spec/spec.ts';
import { run } from '../system/run-tool.ts';
import { type GitEntry, gitConfigText } from './git-config-text.ts';

const GIT_DEADLINE_MS = 5_000;
const IDENTITY = ['user.name', 'user.email'];
const BRANCH = 'init.defaultbranch';

/** The text of a configuration file. Without git on the host it has no user. */
export async function guestGitConfig({ workspace, mounts, git }: SandboxSpec): Promise<string> {
  const known = await globalValues();
  const identity = workspace.gitIdentity === false ? [] : IDENTITY;
  const outer = workspace.repositoryTop === undefined ? [] : [workspace.repositoryTop];
  const folders = [workspace.path, ...outer, ...mounts.map(({ guest }) => guest)];
  return gitConfigText([
    ...identity.flatMap((key): GitEntry[] => {
      const value = known.get(key);
      return value === undefined ? [] : [[key, value]];
    }),
    ['init.defaultBranch', known.get(BRANCH) ?? 'main'],
    ...(git === undefined ? [] : signing(git.signingKey)),
    // Both sides use one index, and do not agree on owners and on parts of a second.
    ['core.checkStat', 'minimal'],
    // Files belong to the user `agent`, also for git that root runs. The second form is for repositories below, from git 2.46 on.
    ...folders.flatMap((folder): GitEntry[] => [
      ['safe.directory', folder],
      ['safe.directory', `${folder === '/' ? '' : folder}/*`],
    ]),
  ]);
}

/** Beside the guest agent: see git-sign.pl */
const SIGN_PROGRAM = '/opt/sbx/agent/git-sign';

function signing(key: string): GitEntry[] {
  return [
    ['gpg.format', 'ssh'],
    ['gpg.ssh.program', SIGN_PROGRAM],
    // Git 2.34 knows no prefix; later ones need it for the other types.
    ['user.signingKey', key.startsWith('ssh-') ? key : `key::${key}`],
    ['commit.gpgSign', 'true'],
  ];
}

/** Only the user's own configuration: what a project's repository says may come from a sandbox. */
async function globalValues(): Promise<Map<string, string>> {
  const { PATH, HOME = homedir(), XDG_CONFIG_HOME } = process.env;
  const keys = `^(${[...IDENTITY, BRANCH].map((key) => key.replace('.', '\\.')).join('|')})$`;
  const text = await run('git', ['config', '--global', '--includes', '--null', '--get-regexp', keys], {
    cwd: '/',
    env: { PATH, HOME, XDG_CONFIG_HOME, LC_ALL: 'C' },
    deadlineMs: GIT_DEADLINE_MS,
  }).catch(() => '');
  // The last one counts, as for git.
  return new Map(
    text.split('\0').flatMap((entry): GitEntry[] => {
      const [key = '', ...value] = entry.split('\n');
      return value.length === 0 ? [] : [[key, value.join('\n')]];
    }),
  );
}
