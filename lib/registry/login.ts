/** Finds the host's credentials for a registry: sbx secrets, then Docker's and Podman's login files with their credential helpers. */
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { SbxError } from '../errors.ts';
import { within } from '../system/deadline.ts';

export type Login =
  | { kind: 'password'; user: string; password: string }
  /** An identity token, exchanged for access tokens */
  | { kind: 'token'; token: string };

/** Undefined: no credentials. @throws SbxError `registry`, never with a password */
export type LoginOf = (host: string) => Promise<Login | undefined>;

export interface LoginSources {
  /** Of this process */
  env: Record<string, string | undefined>;
  /** The value `user:password` of the sbx secret with this name, if there is one */
  secret: (name: string) => Promise<string | undefined>;
}

/** Docker's own name of its public registry in a login file */
const HUB_KEY = 'https://index.docker.io/v1/';
const HUB = /^(?:registry-1\.|index\.)?docker\.io$/;
const FILE_MAX = 1024 * 1024;
const HELPER_MS = 30_000;

export function hostLogins({ env, secret }: LoginSources): LoginOf {
  return async (host) => {
    const value = await secret(secretNameOf(host));
    if (value !== undefined) return passwordOf(value, secretNameOf(host));
    for (const file of loginFiles(env)) {
      const found = await loginIn(file, host);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** `registry-` and the host, with `-` for the colon of a port. */
function secretNameOf(host: string): string {
  return `registry-${host.replace(/[^A-Za-z0-9._-]/g, '-')}`;
}

function loginFiles(env: LoginSources['env']): string[] {
  const home = env['HOME'] ?? homedir();
  return [
    env['REGISTRY_AUTH_FILE'],
    join(env['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
    env['XDG_RUNTIME_DIR'] && join(env['XDG_RUNTIME_DIR'], 'containers', 'auth.json'),
    join(env['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers', 'auth.json'),
  ].filter((file): file is string => Boolean(file));
}

const loginFile = z.object({
  auths: z
    .record(z.string(), z.object({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});

async function loginIn(file: string, host: string): Promise<Login | undefined> {
  const text = await textOf(file);
  if (text === undefined) return undefined;
  const { auths = {}, credHelpers = {}, credsStore } = parsed(text, file);
  const names = HUB.test(host) ? [HUB_KEY, 'docker.io', host] : [host, `https://${host}`, `https://${host}/v1/`];
  const helper = names.map((name) => credHelpers[name]).find((found) => found !== undefined) ?? credsStore;
  const known = names.find((name) => auths[name] !== undefined);
  if (helper !== undefined && helper !== '') {
    const found = await askHelper(helper, HUB.test(host) ? HUB_KEY : (known ?? host));
    if (found !== undefined) return found;
  }
  const entry = known === undefined ? undefined : auths[known];
  if (entry?.identitytoken) return { kind: 'token', token: entry.identitytoken };
  return entry?.auth ? passwordOf(Buffer.from(entry.auth, 'base64').toString(), file) : undefined;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(FILE_MAX), 0, FILE_MAX, 0);
    return buffer.subarray(0, bytesRead).toString();
  } catch {
    return undefined;
  }
}

function parsed(text: string, file: string): z.infer<typeof loginFile> {
  try {
    return loginFile.parse(JSON.parse(text));
  } catch (error) {
    throw new SbxError('registry', `the login file ${file} cannot be read`, {
      why: error instanceof SyntaxError ? 'it is not JSON' : 'its entries are not as Docker writes them',
      hint: 'log in again with `docker login` or `podman login`, or remove the file',
    });
  }
}

function passwordOf(text: string, source: string): Login {
  const at = text.indexOf(':');
  if (at > 0) return { kind: 'password', user: text.slice(0, at), password: text.slice(at + 1).replace(/\0+$/, '') };
  throw new SbxError('registry', `no user and password in ${source}`, { hint: 'store them as user:password' });
}

/** Docker's protocol of credential helpers: the host on stdin, JSON on stdout. Undefined: it has none. */
async function askHelper(name: string, host: string): Promise<Login | undefined> {
  const command = `docker-credential-${name}`;
  if (!/^[\w.-]+$/.test(name)) throw helperFailed(command, 'its name is invalid');
  const { code, stdout } = await answerOf(command, host);
  if (code !== 0 && /not found/i.test(stdout)) return undefined;
  if (code !== 0) throw helperFailed(command, `it ended with exit code ${code}`);
  const answer = z.object({ Username: z.string(), Secret: z.string() }).safeParse(jsonOf(stdout));
  if (!answer.success) throw helperFailed(command, 'its output is not what Docker defines');
  const { Username: user, Secret: secret } = answer.data;
  return user === '<token>' ? { kind: 'token', token: secret } : { kind: 'password', user, password: secret };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Not by `run`, whose errors contain the output: here it is a password. */
async function answerOf(command: string, host: string): Promise<{ code: number | null; stdout: string }> {
  using deadline = within(HELPER_MS);
  return await new Promise((resolve, reject) => {
    const child = spawn(command, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      signal: deadline,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.length > FILE_MAX) child.kill('SIGKILL');
    });
    child.stdin.on('error', () => {});
    child.stdin.end(`${host}\n`);
    child.once('error', (error) => reject(helperFailed(command, error.message)));
    child.once('close', (code) => resolve({ code, stdout }));
  });
}

function helperFailed(command: string, why: string): SbxError {
  return new SbxError('registry', `the credential helper ${command} failed`, {
    why,
    hint: 'it is named in Docker’s config.json: install it, or log in again',
  });
}
