/** The client against a registry that is broken or hostile. The registry is a fake. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openRegistry } from '../../../lib/registry/registry.ts';
import { type Answer, cutAfter, digestOf, fakeRegistry } from './fake-registry.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-broken-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const client = () =>
  openRegistry({
    env: { HOME: dir, CONTAINERS_REGISTRIES_CONF: '/dev/null', SBX_DOCKER_DAEMON_JSON: join(dir, 'none') },
    secret: async () => undefined,
    stallMs: 300,
    retryMs: 1,
  });

const CONTENT = Buffer.alloc(500_000, 'sbx');
const BLOB = { digest: digestOf(CONTENT), size: CONTENT.length };

async function download(answer: Answer): Promise<{ file: string; ranges: (string | undefined)[] }> {
  await using server = await fakeRegistry(answer);
  const file = join(dir, 'blob');
  await client().downloadBlob(`${server.host}/a`, BLOB, file);
  return { file, ranges: server.requests.map(({ range }) => range) };
}

describe('a blob', () => {
  test('whose connection is cut again and again is continued where it was cut, and whole', async () => {
    const { file, ranges } = await download(cutAfter(CONTENT, 150_000));
    expect(readFileSync(file).equals(CONTENT)).toBe(true);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.length).toBeGreaterThan(3);
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-499999$/.test(range ?? ''))).toBe(true);
  });

  test('is whole also from a registry that ignores ranges', async () => {
    let first = true;
    const { file } = await download((request, response) => {
      if (first) cutAfter(CONTENT, 100_000)(request, response);
      else response.end(CONTENT);
      first = false;
    });
    expect(readFileSync(file).equals(CONTENT)).toBe(true);
  });

  test('that stalls is continued', async () => {
    let first = true;
    const { file } = await download((_, response) => {
      if (first) response.writeHead(200).write(CONTENT.subarray(0, 1_000));
      else response.end(CONTENT);
      first = false;
    });
    expect(readFileSync(file).equals(CONTENT)).toBe(true);
  });

  test.each<[string, Answer, RegExp]>([
    ['has another content', (_, response) => void response.end(Buffer.alloc(CONTENT.length, 'bad')), /wrong content/],
    ['is longer than described', (_, response) => void response.end(Buffer.alloc(CONTENT.length + 1)), /wrong content/],
    ['never ends', (_, response) => endless(response), /wrong content/],
    ['gives nothing but cuts', (_, response) => void response.destroy(), /no answer/],
    ['gives a head and then a cut', headOnly, /cut too often/],
    ['answers with a range that was not asked for', elsewhere, /another range/],
  ])('that %s is refused, and nothing wrong is left', async (_, answer, message) => {
    await expect(download(answer)).rejects.toThrow(message);
    const left = existsSync(join(dir, 'blob')) ? readFileSync(join(dir, 'blob')) : Buffer.alloc(0);
    expect(CONTENT.subarray(0, left.length).equals(left)).toBe(true);
  });

  test('is given up when the caller cancels', async () => {
    await using server = await fakeRegistry(() => {});
    const signal = AbortSignal.timeout(50);
    const work = client().downloadBlob(`${server.host}/a`, BLOB, join(dir, 'blob'), { signal });
    await expect(work).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('in memory is bounded and verified', async () => {
    await using server = await fakeRegistry((_, response) => void response.end('other'));
    await expect(client().readBlob(`${server.host}/a`, BLOB, 1_000)).rejects.toThrow('too large');
    const five = { digest: digestOf('right'), size: 5 };
    await expect(client().readBlob(`${server.host}/a`, five, 1_000)).rejects.toThrow('wrong content');
    await expect(client().readBlob(`${server.host}/a`, { ...five, size: 4 }, 1_000)).rejects.toThrow('too long');
  });
});

/** Not what was asked for: the answer of a shared cache that is confused */
function elsewhere(request: Parameters<Answer>[0], response: Parameters<Answer>[1]): void {
  if (request.headers.range === undefined) cutAfter(CONTENT, 1_000)(request, response);
  else response.writeHead(206, { 'content-range': 'bytes 400000-499999/500000' }).end(CONTENT.subarray(400_000));
}

function headOnly(_: Parameters<Answer>[0], response: Parameters<Answer>[1]): void {
  response.flushHeaders();
  response.destroy();
}

function endless(response: Parameters<Answer>[1]): void {
  const more = () => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536)));
  };
  response.on('drain', more);
  more();
}

const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/json', ...BLOB },
  layers: [],
});

describe('a manifest', () => {
  test('is asked for again after 429 and 503, no sooner than the registry says', async () => {
    const answers = [429, 503];
    const times: number[] = [];
    await using server = await fakeRegistry((_, response) => {
      times.push(performance.now());
      const status = answers.shift();
      if (status === undefined) response.end(MANIFEST);
      else response.writeHead(status, { 'retry-after': '1' }).end();
    });
    expect((await client().manifest(`${server.host}/a:1`)).digest).toBe(digestOf(MANIFEST));
    expect(times).toHaveLength(3);
    const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(waits.every((ms) => ms >= 990)).toBe(true);
  });

  test('that stays limited is an error that says so', async () => {
    await using server = await fakeRegistry((_, response) => void response.writeHead(429).end());
    await expect(client().manifest(`${server.host}/a:1`)).rejects.toMatchObject({ why: 'HTTP status 429' });
    expect(server.requests).toHaveLength(5);
  });

  test.each<[string, string, RegExp]>([
    ['is not JSON', '<html>', /cannot be read/],
    [
      'has a layer with a path for a digest',
      MANIFEST.replace('[]', '[{"digest":"../../x","size":1,"mediaType":"a"}]'),
      /cannot be read/,
    ],
    [
      'has a negative size',
      MANIFEST.replace('[]', `[{"digest":"${BLOB.digest}","size":-1,"mediaType":"a"}]`),
      /cannot be read/,
    ],
    ['is of schema version 1', '{"schemaVersion":1,"fsLayers":[]}', /cannot be read/],
    ['is too long', ' '.repeat(5 * 1024 * 1024), /too long/],
  ])('that %s is refused', async (_, text, message) => {
    await using server = await fakeRegistry((__, response) => void response.end(text));
    await expect(client().manifest(`${server.host}/a:1`)).rejects.toThrow(message);
  });

  test('with another digest than the reference names is refused', async () => {
    await using server = await fakeRegistry((_, response) => void response.end(MANIFEST));
    const wanted = digestOf('another');
    await expect(client().manifest(`${server.host}/a@${wanted}`)).rejects.toThrow('wrong content');
  });

  test('of an index is that of this platform, by its digest; an index of itself ends', async () => {
    const index = (digest: string, architecture: string) =>
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [{ mediaType: 'a', digest, size: 1, platform: { os: 'linux', architecture } }],
      });
    const right = index(digestOf(MANIFEST), { x64: 'amd64' }[process.arch as 'x64'] ?? process.arch);
    await using server = await fakeRegistry((request, response) => {
      if (request.url?.endsWith('/right')) response.end(right);
      else if (request.url?.endsWith('/other')) response.end(index(digestOf(MANIFEST), 's390x'));
      else response.end(request.url?.endsWith(digestOf(MANIFEST)) ? MANIFEST : right);
    });
    expect((await client().manifest(`${server.host}/a:right`)).digest).toBe(digestOf(MANIFEST));
    await expect(client().manifest(`${server.host}/a:other`)).rejects.toThrow(/no image for linux/);
  });
});

describe('redirects', () => {
  test.each([
    'http://elsewhere.test/x',
    'ftp://localhost/x',
    'file:///etc/passwd',
    'https://user:word@localhost/x',
    'http://[::bad/x',
  ])('to %s are refused', async (location) => {
    await using server = await fakeRegistry((_, response) => void response.writeHead(302, { location }).end());
    await expect(client().manifest(`${server.host}/a:1`)).rejects.toMatchObject({ code: 'registry' });
    expect(server.requests.length).toBe(1);
  });

  test('without an end are ended', async () => {
    await using server = await fakeRegistry((_, response) => void response.writeHead(302, { location: '/x' }).end());
    await expect(client().manifest(`${server.host}/a:1`)).rejects.toThrow('redirects more than 5 times');
  });
});

test('tags without an end are ended, and what is no tag is left out', async () => {
  let page = 0;
  await using server = await fakeRegistry((_, response) => {
    page += 1;
    const tags = page > 2 ? ['t1'] : [`t${page}`, '../x', 5];
    response.writeHead(200, { link: `</v2/a/tags/list?last=t${page}>; rel="next"` }).end(JSON.stringify({ tags }));
  });
  expect(await client().tags(`${server.host}/a`)).toEqual(['t1', 't2']);
  expect(page).toBe(3);
});

test('a registry that is not there says so', async () => {
  await expect(client().manifest('localhost:1/a:1')).rejects.toMatchObject({
    code: 'registry',
    message: 'no answer from localhost:1',
  });
});
