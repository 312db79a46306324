/** Turns the devcontainer.json of a project into fields of sandbox.toml, and names each of its fields that is not used. */
import { envName, envValue, port } from '../schema/fields.ts';
import { baseImageOf } from './base-image.ts';
import { commandsOf, quoted } from './commands.ts';
import { featureOf } from './features.ts';
import { objectOf, readDevcontainer } from './read-devcontainer.ts';

export interface FromDevcontainer {
  /** Relative to the project */
  file: string;
  base?: string;
  apt: string[];
  npm: string[];
  setup: string[];
  env: Record<string, string>;
  ports: number[];
  docker: boolean;
  /** Shell lines to run once in the workspace of a sandbox */
  later: string[];
  /** What became of each field */
  fields: FieldNote[];
}

interface FieldNote {
  field: string;
  /** What sandbox.toml has from it, or why nothing */
  what: string;
  used: boolean;
}

/** Without a meaning for a sandbox, and not named */
const WITHOUT_EFFECT = ['$schema', 'name'];
const REASONS: Record<string, string> = {
  build: 'no Dockerfile is built: write what it installs into [packages]',
  customizations: 'editors connect with `sbx open`',
  dockerComposeFile: 'its services run only with [docker] enabled = true',
  dockerFile: 'no Dockerfile is built: write what it installs into [packages]',
  hostRequirements: 'write them into [resources]',
  initializeCommand: 'a project runs nothing on the host',
  mounts: 'write [[mounts]]: each needs your approval',
  privileged: 'a sandbox is a VM: root inside needs no rights outside',
  remoteUser: 'the user is `agent`',
  workspaceFolder: 'the workspace has the same path as on the host',
};
const COMMANDS = ['onCreateCommand', 'updateContentCommand', 'postCreateCommand'];

/** Reads nothing outside of `dir`, runs nothing. @throws SbxError for a file that cannot be read or is no JSON. */
export async function fromDevcontainer(dir: string): Promise<FromDevcontainer> {
  const { file, fields } = await readDevcontainer(dir);
  const result: FromDevcontainer = {
    file,
    apt: [],
    npm: [],
    setup: [],
    env: {},
    ports: [],
    docker: false,
    later: [],
    fields: [],
  };
  for (const [field, value] of fields) {
    if (field === 'features') await takeFeatures(result, dir, value);
    else if (!WITHOUT_EFFECT.includes(field)) take(result, field, value);
  }
  return result;
}

function take(result: FromDevcontainer, field: string, value: unknown): void {
  if (field === 'image') takeImage(result, value);
  else if (field === 'forwardPorts') takePorts(result, value);
  else if (field === 'containerEnv' || field === 'remoteEnv') takeEnv(result, field, value);
  else if (COMMANDS.includes(field)) takeCommands(result, field, value);
  else note(result, field, reasonOf(field), false);
}

function reasonOf(field: string): string {
  const why = Object.hasOwn(REASONS, field) ? REASONS[field] : undefined;
  return why ?? 'it has no counterpart in sandbox.toml';
}

function note(result: FromDevcontainer, field: string, what: string, used: boolean): void {
  result.fields.push({ field, what, used });
}

function takeImage(result: FromDevcontainer, value: unknown): void {
  const image = typeof value === 'string' ? baseImageOf(value) : undefined;
  if (image === undefined) {
    note(result, 'image', 'its tag names no release of Debian or Ubuntu that sbx knows: see [image] base', false);
    return;
  }
  result.base = image.base;
  const more = image.isPlain ? '' : '; what else the image contains belongs into [packages]';
  note(result, 'image', `base ${image.base}${more}`, true);
}

function takePorts(result: FromDevcontainer, value: unknown): void {
  for (const one of Array.isArray(value) ? value : [value]) {
    const digits = /^(?:(?:localhost|127\.0\.0\.1):)?(\d{1,5})$/.exec(String(one))?.[1];
    const number = port.safeParse(Number(digits));
    const field = `forwardPorts ${JSON.stringify(one)}`;
    if (!number.success) note(result, field, 'it is no port of the sandbox', false);
    else if (!result.ports.includes(number.data)) result.ports.push(number.data);
  }
  if (result.ports.length > 0) note(result, 'forwardPorts', `ports ${result.ports.join(', ')}`, true);
}

function takeEnv(result: FromDevcontainer, field: string, value: unknown): void {
  for (const [name, one] of objectOf(value) ?? []) {
    const why = whyNoVariable(name, one);
    if (why === undefined) result.env[name] = String(one);
    note(result, `${field} ${name}`, why ?? 'env', why === undefined);
  }
}

/** `${localEnv:…}` is a value of the host: it is never copied into a sandbox. */
function whyNoVariable(name: string, value: unknown): string | undefined {
  const checked = envValue.safeParse(value);
  if (!envName.safeParse(name).success || name === '__proto__' || !checked.success)
    return 'it is no variable with text';
  if (/\$\{localEnv/.test(checked.data))
    return 'variables of the host stay there: write the value into [env], or a secret into [[credentials]]';
  return checked.data.includes('${') ? 'variables in values are not replaced: write the value into [env]' : undefined;
}

function takeCommands(result: FromDevcontainer, field: string, value: unknown): void {
  const commands = commandsOf(value);
  if (commands === undefined) {
    note(result, field, 'it is no command', false);
    return;
  }
  const { apt, npm, later } = commands;
  result.apt.push(...apt);
  result.npm.push(...npm);
  result.later.push(...later);
  if (apt.length + npm.length > 0) note(result, field, `packages ${[...apt, ...npm].join(', ')}`, true);
  for (const line of later) note(result, field, `run it yourself, once: sbx exec -- sh -c ${quoted(line)}`, false);
}

async function takeFeatures(result: FromDevcontainer, dir: string, value: unknown): Promise<void> {
  for (const entry of objectOf(value) ?? []) {
    const { apt = [], setup, docker = false, what } = await featureOf(dir, result.file, entry);
    result.apt.push(...apt);
    if (setup !== undefined) result.setup.push(setup);
    result.docker ||= docker;
    note(result, `feature ${entry[0]}`, what, apt.length > 0 || setup !== undefined || docker);
  }
}
