/** A listener with credentials on the intercepting rig: secrets, placeholders of two sandboxes, and what went where. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type Binding, bindingOf } from '../../../../lib/gateway/credentials/bindings.ts';
import { credentialInspector } from '../../../../lib/gateway/credentials/inspector.ts';
import { makePlaceholder } from '../../../../lib/gateway/credentials/placeholder.ts';
import { createPlaceholderBook, type PlaceholderBook } from '../../../../lib/gateway/credentials/placeholder-book.ts';
import type { CredentialEnforcement } from '../../../../lib/gateway/request/enforcement.ts';
import { type InterceptOptions, type InterceptRig, startIntercept } from '../proxy/intercept-rig.ts';
import { rule } from '../rig.ts';

export const HOST = 'api.ok.test';
export const OTHER = 'in.wild.test';
export const SECRET = `sk-ant-api03-REAL${randomBytes(24).toString('hex')}`;
export const OAUTH = `sk-ant-oat01-REAL${randomBytes(24).toString('hex')}`;

const entry = (change: Partial<Parameters<typeof bindingOf>[0]> = {}) =>
  bindingOf({ secret: 'key', env: 'API_KEY', host: HOST, header: 'x-api-key', format: '{}', ...change }) as Binding;

/** An API key, or else a token of a subscription; and git's own way. */
const BINDINGS = [
  entry(),
  entry({ secret: 'oauth', env: 'OAUTH_TOKEN', header: 'authorization', format: 'Bearer {}' }),
  entry({
    secret: 'git',
    env: 'GIT_TOKEN',
    host: 'git.wild.test',
    header: 'authorization',
    format: 'Basic x-access-token:{}',
  }),
];

const POLICY = {
  allow: ['api.ok.test:443', 'api.ok.test:80', 'api.ok.test:8443', '*.wild.test:443', '*.wild.test:80'].map((one) =>
    rule(one),
  ),
  deny: [],
  // So that the host without a credential is read as well.
  http: [{ host: OTHER, methods: [], paths: [] }],
};

export interface CredentialsOptions extends InterceptOptions {
  injection?: Partial<CredentialEnforcement>;
  bindings?: Binding[];
  secretOf?: (name: string) => Promise<string | undefined>;
}

export interface CredentialsRig extends AsyncDisposable {
  intercept: InterceptRig;
  secrets: Map<string, string>;
  bindings: Binding[];
  book: PlaceholderBook;
  /** What stands in this sandbox for the key, the token, git's */
  mine: { key: string; oauth: string; git: string };
  /** What stands in another sandbox for the key */
  theirs: string;
  /** One request on a connection of its own; all of the answer */
  ask(head: string, body?: string, host?: string): Promise<string>;
  /** The denials' details */
  denied(): (string | undefined)[];
  /** Nothing was dialled and no secret went anywhere */
  untouched(): boolean;
}

export async function startCredentials(options: CredentialsOptions = {}): Promise<CredentialsRig> {
  const book = createPlaceholderBook();
  const put = (sandbox: string, label: string, secret: string) => {
    const text = makePlaceholder(secret, randomBytes);
    book.put({ text, sandbox, label });
    return text;
  };
  const mine = {
    key: put('box', 'API_KEY', SECRET),
    oauth: put('box', 'OAUTH_TOKEN', OAUTH),
    git: put('box', 'GIT_TOKEN', SECRET),
  };
  const theirs = put('other', 'API_KEY', SECRET);
  const secrets = new Map([
    ['key', SECRET],
    ['git', SECRET],
  ]);
  const bindings = [...(options.bindings ?? BINDINGS)];
  const inspector = credentialInspector({
    sandbox: 'box',
    book,
    bindings: () => bindings,
    secretOf: options.secretOf ?? (async (name) => secrets.get(name)),
    ...(options.injection === undefined ? {} : { enforcement: options.injection }),
  });
  const intercept = await startIntercept({ policy: POLICY, ...options, inspector });
  return {
    intercept,
    secrets,
    bindings,
    book,
    mine,
    theirs,
    async ask(head, body = '', host = HOST) {
      const client = await intercept.inside(host);
      const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`;
      const [line = '', ...headers] = head.split('\n');
      const lines = headers.map((field) => `${field}\r\n`).join('');
      client.send(`${line} HTTP/1.1\r\nHost: ${host}\r\n${lines}${length}Connection: close\r\n\r\n${body}`);
      return unchunked(await client.end());
    },
    denied: () =>
      intercept.rig
        .records()
        .filter(({ verdict }) => verdict === 'deny')
        .map(({ reason, detail }) => `${reason}: ${detail}`),
    untouched: () => intercept.rig.dials.length === 0 && !intercept.received().includes('REAL'),
    [Symbol.asyncDispose]: () => intercept[Symbol.asyncDispose](),
  };
}

/** What a client makes of it. */
function unchunked(text: string): string {
  const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
  if (!/^transfer-encoding: chunked$/im.test(head)) return text;
  let out = '';
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, end), 16);
    if (!(size > 0)) return `${head}\r\n\r\n${out}`;
    out += body.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

/** An upstream that answers when the body of its first request ends with this. */
export function afterBody(last: string): (socket: Socket) => void {
  return (socket) => {
    let tail = '';
    socket.on('data', (bytes: Buffer) => {
      tail = (tail + bytes.toString('latin1')).slice(-100);
      if (tail.endsWith(last)) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    });
  };
}

/** An upstream that answers its first request with this, in these pieces, each on its own. */
export function inPieces(head: string, pieces: string[]): (socket: Socket) => void {
  return (socket) =>
    void socket.once('data', async () => {
      socket.write(`HTTP/1.1 200 OK\r\n${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`, 'latin1');
      for (const piece of pieces) {
        await new Promise((resolve) => setImmediate(resolve));
        socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`, 'latin1');
      }
      socket.end('0\r\n\r\n');
    });
}

/** An upstream that sends the range of this text that it is asked for. */
export function byRange(text: string): (socket: Socket) => void {
  return (socket) =>
    void socket.once('data', (bytes: Buffer) => {
      const [, from = '0', to = `${text.length}`] = /^range: bytes=(\d+)-(\d+)/im.exec(bytes.toString('latin1')) ?? [];
      const part = text.slice(Number(from), Number(to) + 1);
      socket.end(`HTTP/1.1 206 OK\r\nContent-Length: ${part.length}\r\nConnection: close\r\n\r\n${part}`);
    });
}

export function answering(body: string, head = ''): (socket: Socket) => void {
  return (socket) =>
    void socket.once('data', () =>
      socket.end(
        `HTTP/1.1 200 OK\r\n${head}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        'latin1',
      ),
    );
}
