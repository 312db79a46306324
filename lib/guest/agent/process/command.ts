/** Resolves program, user and folder of a command before it starts; failures have the codes and messages of a shell. */
import { accessSync, constants, statSync } from 'node:fs';
import type { ExecRequest } from '../../protocol/messages.ts';
import { callerVariables } from './caller.ts';
import { keepLoginPath } from './login-path.ts';
import { findUser, groupsOf, type User } from './users.ts';

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env: Record<string, string>;
  /** Undefined: the user of the agent */
  uid: number | undefined;
  gid: number | undefined;
}

export interface Refusal {
  /** 126: it cannot be executed · 127: there is no such command */
  code: number;
  message: string;
}

/** Sets all groups of users that have several; Node can set only one. Part of every Debian image */
const SETPRIV = '/usr/bin/setpriv';

export function commandOf(request: ExecRequest, base: Record<string, string>): Command | Refusal {
  const wanted = request.user ?? 'agent';
  const user = findUser(wanted);
  if (user === undefined) return { code: 126, message: `no such user in the sandbox: ${wanted}` };
  const login = { HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell };
  const caller = callerVariables(request.caller ?? {}, request.tty !== undefined);
  const env: Record<string, string> = { ...base, ...login, ...caller, ...request.env };
  keepLoginPath(env);
  const cwd = request.cwd ?? user.home;
  const [file = '', ...args] = request.argv;
  return startProblem(file, cwd, env['PATH'] ?? '') ?? { file, args, cwd, env, ...asUser(user, request.argv) };
}

export function isRefusal(command: Command | Refusal): command is Refusal {
  return 'code' in command;
}

function asUser(user: User, argv: string[]): Partial<Command> & Pick<Command, 'uid' | 'gid'> {
  const groups = user.uid === 0 ? [] : groupsOf(user);
  if (groups.length > 0 && process.getuid?.() === 0 && isExecutable(SETPRIV)) {
    const who = [`--reuid=${user.uid}`, `--regid=${user.gid}`, `--groups=${[user.gid, ...groups].join(',')}`];
    return { file: SETPRIV, args: [...who, '--', ...argv], uid: undefined, gid: undefined };
  }
  const asItIs = user.uid === process.getuid?.() && user.gid === process.getgid?.();
  return asItIs ? { uid: undefined, gid: undefined } : { uid: user.uid, gid: user.gid };
}

/** Checked here, since Node reports a missing folder as a missing program, and a terminal reports no error at all. */
function startProblem(file: string, cwd: string, path: string): Refusal | undefined {
  if (statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    return { code: 126, message: `no such folder in the sandbox: ${cwd}` };
  const candidates = file.includes('/')
    ? [file.startsWith('/') ? file : `${cwd}/${file}`]
    : path.split(':').map((dir) => `${dir}/${file}`);
  const found = candidates.filter((candidate) => isFile(candidate));
  if (found.length === 0 || file === '') return { code: 127, message: `${file}: command not found` };
  return found.some(isExecutable) ? undefined : { code: 126, message: `${file}: permission denied` };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
