/** Default hints, for errors without one of their own: every error says what to do. */
import { type ErrorCode, type ErrorJson, toErrorJson } from '../../errors.ts';

export function describeError(error: unknown): ErrorJson {
  const json = toErrorJson(error);
  const hint = json.hint ?? HINTS[json.code];
  return hint === undefined ? json : { ...json, hint };
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  usage: '`sbx --help` lists the commands',
  'config-syntax': 'fix the line; docs/reference.md of sbx lists every field',
  'config-invalid': 'fix the line; docs/reference.md of sbx lists every field',
  'not-found': 'check the name or the path; `sbx ls` lists the sandboxes',
  'stopped-idle': 'run `sbx start`',
  'not-running': 'run `sbx start`, or `sbx apply`',
  cancelled: 'nothing is lost: the next `sbx apply` continues from here',
  'tool-missing': 'run `sbx doctor --fix`',
  'no-jail': 'run `sbx doctor`: it shows a fix',
  'vm-boot-failed': '`sbx logs --console` shows its console; `sbx apply` retries',
  'vm-died': '`sbx logs --console` shows its console; `sbx apply` starts it again',
  'vm-save-failed': 'the sandbox runs on; see `sbx logs --console`, and retry',
  'vm-restore-failed': 'retry; if the error persists, `sbx gc` and `sbx apply` create a new snapshot',
  qmp: 'retry; `sbx daemon logs` and `sbx logs --console` show the cause',
  'guest-protocol': 'check `sbx ls` and `sbx logs --console`, then retry',
  'guest-failed': '`sbx logs --console` shows its console; retry',
  'bake-failed': '`sbx logs --bake` shows its output',
  'image-source': 'run `sbx doctor`, then retry',
  registry: 'check the name of the image and the login for its registry, then retry',
  workspace: 'check that you can read and write the folder',
  gateway: 'retry; `sbx daemon logs` shows the cause',
  'daemon-unreachable': 'retry: the daemon is started on demand',
  internal: 'this is a bug in sbx: please report it with the output of SBX_DEBUG=1 and `sbx daemon logs`',
};
