/** `sbx doctor`: checks this host and can install what is missing. */
import { spawn } from 'node:child_process';
import { SbxError } from '../../../errors.ts';
import type { Home } from '../../../paths.ts';
import type { Run } from '../../command/command.ts';
import type { CheckResult } from '../../doctor/check-result.ts';
import { accelerator, subordinateIds, userNamespaces } from '../../doctor/isolation.ts';
import { organisationPolicy } from '../../doctor/organisation.ts';
import { diskSpace, socketLength, stateFolder } from '../../doctor/state.ts';
import { aptSources, toolChecks } from '../../doctor/tools.ts';

const MARKS = { ok: 'ok      ', warning: 'warning ', failed: 'FAILED  ' } as const;

export async function doctor({ context, view, flags }: Run<{ fix: boolean }>): Promise<number> {
  let checks = await runChecks(context.home);
  const packages = [...new Set(checks.flatMap((check) => check.packages ?? []))];
  if (flags.fix && packages.length > 0) {
    await install(packages);
    checks = await runChecks(context.home);
  }
  const ok = checks.every(({ status }) => status !== 'failed');
  view.result({ ok, checks }, checks.map(lineOf).join('\n'));
  return ok ? 0 : 1;
}

async function runChecks(home: Home): Promise<CheckResult[]> {
  return [
    ...toolChecks(),
    ...organisationPolicy(),
    await userNamespaces(),
    subordinateIds(),
    await aptSources(),
    await stateFolder(home),
    await diskSpace(home),
    socketLength(home),
    await accelerator(home),
  ];
}

function lineOf({ status, name, message, fix }: CheckResult): string {
  return `${MARKS[status]}${name}: ${message}${fix === undefined ? '' : `\n          fix: ${fix}`}`;
}

async function install(packages: string[]): Promise<void> {
  // A failed update of the lists is no reason to stop: old lists may do, and the installation shows it.
  await aptGet(['update', '-q']);
  const { code, command } = await aptGet(['install', '-y', '--no-install-recommends', ...packages]);
  if (code === 0) return;
  throw new SbxError('tool-missing', 'could not install the missing packages', {
    why: code === undefined ? 'the user is not root and sudo is missing' : `${command} exited with code ${code}`,
    hint: `install them manually: ${packages.join(' ')}`,
  });
}

/** Spawned with the user's terminal, where sudo asks. Its output goes to stderr: stdout is for the result. */
async function aptGet(args: string[]): Promise<{ code: number | undefined; command: string }> {
  const [command = '', ...rest] = [...(process.getuid?.() === 0 ? [] : ['sudo']), 'apt-get', ...args];
  const code = await new Promise<number | undefined>((resolve) => {
    const child = spawn(command, rest, { stdio: ['inherit', 2, 2] });
    child.once('error', () => resolve(undefined));
    child.once('exit', (status) => resolve(status ?? 1));
  });
  return { code, command: [command, ...rest].join(' ') };
}
