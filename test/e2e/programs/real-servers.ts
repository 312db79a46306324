/** Starts real servers on the host's loopback (an sshd with a git repository, a PostgreSQL, a registry of images), which scripts/test-setup.mjs unpacked. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { until } from '../harness.ts';

export interface SshServer extends AsyncDisposable {
  port: number;
  /** The only one who can log in */
  user: string;
  /** Its public key, as in a file of known hosts */
  hostKey: string;
  /** A git repository with the one file README, which may be pushed to */
  repository: string;
  /** Lets the holder of a public key in */
  authorize(key: string): void;
}

export async function startSshd(): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-sshd-'));
  const at = (name: string) => join(folder, name);
  const port = await freePort();
  const repository = at('shop.git');
  execFileSync(program('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-C', 'host', '-f', at('host-key')]);
  makeRepository(repository, at('work'));
  writeFileSync(at('authorized'), '');
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey ${at('host-key')}`,
    `AuthorizedKeysFile ${at('authorized')}`,
    'PubkeyAuthentication yes',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UsePAM no',
    'PidFile none',
    // The folder stands below one that everybody may write to.
    'StrictModes no',
  ];
  writeFileSync(at('config'), `${lines.join('\n')}\n`);
  const server = await serve(['sshd', '-D', '-e', '-f', at('config')], { folder, port });
  return {
    ...server,
    port,
    user: SERVER_USER ?? userInfo().username,
    hostKey: readFileSync(at('host-key.pub'), 'utf8').trim(),
    repository,
    // No shell for it, whatever comes of the key.
    authorize: (key) =>
      writeFileSync(at('authorized'), `restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"" ${key}\n`),
  };
}

export interface Database extends AsyncDisposable {
  port: number;
  user: string;
  password: string;
}

export async function startPostgres(): Promise<Database> {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-postgres-'));
  const [data, secret] = [join(folder, 'data'), join(folder, 'password')];
  const [user, password] = ['shop', randomBytes(12).toString('hex')];
  writeFileSync(secret, password);
  give(folder);
  const options = ['--no-sync', '--no-instructions', '--no-locale', '--encoding=UTF8', '--auth=scram-sha-256'];
  const init = asServerUser(['initdb', '-D', data, '-U', user, `--pwfile=${secret}`, ...options]);
  execFileSync(init[0] ?? '', init.slice(1), { stdio: 'ignore', cwd: folder });
  const port = await freePort();
  const place = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', ''];
  return { ...(await serve(['postgres', ...place, '-F'], { folder, port })), port, user, password };
}

export interface RegistryAuth {
  /** Basic: who may do anything */
  login?: { user: string; password: string };
  /** Bearer: tokens of this service, signed with the key of a certificate (PEM) */
  token?: { realm: string; service: string; issuer: string; certificate: string };
}

/** An empty registry of images, over plain HTTP, open to all unless it is told otherwise. */
export async function startRegistry({ login, token }: RegistryAuth = {}): Promise<AsyncDisposable & { port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'sbx-registry-'));
  const at = (name: string) => join(folder, name);
  const port = await freePort();
  const storage = { filesystem: { rootdirectory: at('data') } };
  if (login !== undefined) writeFileSync(at('htpasswd'), `${login.user}:${bcrypt(login.password)}\n`);
  if (token !== undefined) writeFileSync(at('certificate.pem'), token.certificate);
  const auth = {
    ...(login === undefined ? {} : { htpasswd: { realm: 'test', path: at('htpasswd') } }),
    ...(token === undefined
      ? {}
      : {
          token: {
            realm: token.realm,
            service: token.service,
            issuer: token.issuer,
            rootcertbundle: at('certificate.pem'),
          },
        }),
  };
  // JSON is YAML.
  const config = { version: 0.1, storage, http: { addr: `127.0.0.1:${port}` }, auth };
  writeFileSync(at('config.yml'), JSON.stringify(config));
  return { ...(await serve(['docker-registry', 'serve', at('config.yml')], { folder, port })), port };
}

/** By the C library of this host, as htpasswd would. */
function bcrypt(password: string): string {
  const script = 'print crypt($ARGV[0], q($2y$05$) . $ARGV[1])';
  return execFileSync('perl', ['-e', script, password, randomBytes(11).toString('hex')], { encoding: 'utf8' });
}

/** Root's tests run servers as the user of scripts/test.mjs: PostgreSQL refuses to be root, and sshd need not be. */
const SERVER_USER = process.getuid?.() === 0 ? 'sbx-test' : undefined;

async function serve(argv: string[], { folder, port }: { folder: string; port: number }): Promise<AsyncDisposable> {
  give(folder);
  const [command = '', ...args] = asServerUser(argv);
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk) => said.push(chunk));
  await until(async () => child.exitCode !== null || (await answers(port)));
  if (child.exitCode !== null) throw new Error(`${argv[0]} ended with ${child.exitCode}\n${Buffer.concat(said)}`);
  return {
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** SIGINT: PostgreSQL ends without waiting for its clients. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await ended;
}

function asServerUser([name = '', ...args]: string[]): string[] {
  const other = ['setpriv', `--reuid=${SERVER_USER}`, `--regid=${SERVER_USER}`, '--init-groups', '--'];
  return [...(SERVER_USER === undefined ? [] : other), program(name), ...args];
}

function give(folder: string): void {
  if (SERVER_USER !== undefined) execFileSync('chown', ['-R', `${SERVER_USER}:`, folder]);
}

function program(name: string): string {
  const folders = [join(homedir(), '.cache', 'sbx-test-servers'), '/var/cache/sbx-test-servers'];
  const found = folders.map((folder) => join(folder, 'bin', name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`no ${name} in ${folders.join(' or ')}: \`npm test\` unpacks it`);
  return found;
}

function makeRepository(repository: string, work: string): void {
  const git = (...args: string[]) => execFileSync('git', args, { stdio: 'ignore' });
  const identity = ['-c', 'user.name=shop', '-c', 'user.email=shop@example.test'];
  git('init', '--bare', '--initial-branch=main', repository);
  git('clone', repository, work);
  writeFileSync(join(work, 'README'), 'a shop\n');
  git('-C', work, 'add', 'README');
  git('-C', work, ...identity, 'commit', '-m', 'begin');
  git('-C', work, 'push', 'origin', 'HEAD:main');
  // What it needs to be served as plain files, too.
  git('-C', repository, 'update-server-info');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
  });
}
