/** A real git behind a real TLS server on the loopback, and a home folder whose git trusts it. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../../../../lib/gateway/tls/authority.ts';

export interface GitServer extends AsyncDisposable {
  /** Of the repository `team/sbx` */
  url: string;
  /** `GIT_…` and the home folder, for who fetches */
  env: Record<string, string>;
  /** Its work tree */
  tree: string;
  git(...words: string[]): string;
  /** Commits what is in the work tree, and moves `main` and the tags there. @returns the commit */
  publish(files: Record<string, string>, tag?: string): string;
  /** Requests answered so far */
  count(): number;
  /** Answers every request with this instead of git */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
}

export async function startGitServer(): Promise<GitServer> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-git-')));
  const [home, root, tree] = ['home', 'root', 'tree'].map((name) => join(dir, name)) as [string, string, string];
  for (const path of [home, tree, join(root, 'team')]) mkdirSync(path, { recursive: true });
  const authority = await createAuthority();
  const context = await authority.contextFor({ host: 'localhost', kind: 'name' });
  writeFileSync(join(dir, 'ca.pem'), authority.pem);
  writeFileSync(
    join(home, '.gitconfig'),
    `[user]\n\tname = T\n\temail = t@example.com\n[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n`,
  );
  const env = { HOME: home, GIT_CONFIG_NOSYSTEM: '1', GIT_SSL_CAINFO: join(dir, 'ca.pem') };
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: tree, env: { ...process.env, ...env }, encoding: 'utf8' }).trim();
  const bare = join(root, 'team/sbx');
  execFileSync('git', ['init', '-q', '--bare', bare], { env: { ...process.env, ...env } });
  execFileSync('git', ['-C', bare, 'config', 'uploadpack.allowAnySHA1InWant', 'true']);
  git('init', '-q');
  let requests = 0;
  const server = createServer({ SNICallback: (_name, done) => done(null, context) }, (request, response) => {
    requests += 1;
    if (made.answer !== undefined) made.answer(request, response);
    else backend(root, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `git+https://localhost:${(server.address() as AddressInfo).port}/team/sbx`;
  const made: GitServer = {
    url,
    env,
    tree,
    git,
    answer: undefined,
    count: () => requests,
    publish(files, tag) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(tree, path, '..'), { recursive: true });
        writeFileSync(join(tree, path), text);
      }
      git('add', '-A');
      git('commit', '-q', '--allow-empty', '-m', 'templates');
      if (tag !== undefined) git('tag', '-f', tag);
      git('push', '-q', '-f', bare, 'main', ...(tag === undefined ? [] : [`refs/tags/${tag}`]));
      return git('rev-parse', 'HEAD');
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return made;
}

/** `git http-backend` by CGI. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '', 'https://localhost');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      ...(request.headers['content-encoding'] === 'gzip' ? { HTTP_CONTENT_ENCODING: 'gzip' } : {}),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  request.pipe(child.stdin);
  child.stdin.on('error', () => {});
  const parts: Buffer[] = [];
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.once('close', () => {
    const whole = Buffer.concat(parts);
    const end = whole.indexOf('\r\n\r\n');
    const head = whole.subarray(0, Math.max(end, 0)).toString().split('\r\n');
    for (const line of head) {
      const [name = '', value = ''] = line.split(/:\s*/, 2);
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
      else if (name !== '') response.setHeader(name, value);
    }
    response.end(whole.subarray(end + 4));
  });
}
