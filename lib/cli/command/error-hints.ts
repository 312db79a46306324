/** What to do where an error does not say it better itself: nobody is left without a way out. */
import { type ErrorCode, type ErrorJson, toErrorJson } from '../../errors.ts';

export function describeError(error: unknown): ErrorJson {
  const json = toErrorJson(error);
  const hint = json.hint ?? HINTS[json.code];
  return hint === undefined ? json : { ...json, hint };
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  usage: '`sbx --help` lists the commands',
  'config-syntax': 'mend the line; docs/reference.md of sbx shows every field',
  'config-invalid': 'mend the line; docs/reference.md of sbx shows every field',
  'not-found': 'check the name or the path; `sbx ls` shows the sandboxes',
  'stopped-idle': 'run `sbx start`',
  'not-running': 'run `sbx start`, or `sbx apply`',
  cancelled: 'nothing is lost: the next `sbx apply` goes on from here',
  'tool-missing': 'run `sbx doctor --fix`',
  'no-jail': 'run `sbx doctor`: it says how to get one',
  'vm-boot-failed': '`sbx logs --console` shows its console; `sbx apply` tries again',
  'vm-died': '`sbx logs --console` shows its console; `sbx apply` starts it again',
  'vm-restore-failed': 'run it again; if it stays, `sbx gc` and `sbx apply` make a new snapshot',
  qmp: 'run it again; `sbx daemon logs` and `sbx logs --console` show what happened',
  'guest-protocol': 'see `sbx ls` and `sbx logs --console`; run it again',
  'guest-failed': '`sbx logs --console` shows its console; run it again',
  'bake-failed': '`sbx logs --bake` shows its output',
  'image-source': 'run `sbx doctor`, then try again',
  workspace: 'see that the folder can be read and written by you',
  gateway: 'run it again; `sbx daemon logs` shows what happened',
  'daemon-unreachable': 'run it again: the daemon is started on demand',
  internal: 'this is a fault of sbx: please report it, with what SBX_DEBUG=1 and `sbx daemon logs` show',
};
