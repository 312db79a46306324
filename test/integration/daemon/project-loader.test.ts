/** Loading a project's file in the daemon: the built worker thread, hostile files, and the event loop of the process that carries every proxy. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadProject } from '../../../lib/config/load/load-project.ts';
import { ProjectLoader } from '../../../lib/daemon/project-loader.ts';
import { hostFacts } from '../../unit/config/project.ts';

const WORKER = join(import.meta.dirname, '../../../dist/load-worker.js');
/** Thousands of wrong keys: seconds of work */
const SLOW = Array.from({ length: 40_000 }, (_, index) => `k${index} = 1`).join('\n');

/** As the daemon does: cosmiconfig would run code of the working directory, and a thread cannot leave it. */
const before = process.cwd();
let dir = '';
beforeEach(() => {
  process.chdir('/');
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-loader-')));
});
afterEach(() => {
  process.chdir(before);
  rmSync(dir, { recursive: true, force: true });
});

const loaderOf = (deadlineMs?: number) =>
  new ProjectLoader({
    worker: WORKER,
    stateDir: join(dir, 'state'),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });

function project(name: string, text: string): string {
  const folder = join(dir, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'sandbox.toml'), text);
  return folder;
}

/** The longest time without a turn of the event loop while `work` runs, as a share of the work's own time */
async function longestPauseDuring(work: Promise<unknown>): Promise<number> {
  const from = performance.now();
  let last = from;
  let longest = 0;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(turn, 1);
  await work.catch(() => {});
  turn();
  clearInterval(timer);
  return longest / (last - from);
}

test('a project is loaded as in the command line, with the environment of the request', async () => {
  await using loader = loaderOf();
  mkdirSync(join(dir, 'home', 'data'), { recursive: true });
  const cwd = project('shop', 'version = 1\n[[mounts]]\nhost = "~/data"\nguest = "/data"\n');
  const loaded = await loader.load({ cwd, env: { HOME: join(dir, 'home'), PATH: process.env['PATH'] ?? '' } });
  expect(loaded).toMatchObject({ name: 'shop', dir: cwd, files: [join(cwd, 'sandbox.toml')] });
  expect(loaded.sandboxes[0]?.mounts[0]?.host).toBe(join(dir, 'home', 'data'));
});

test('an error keeps its code, place and hint', async () => {
  await using loader = loaderOf();
  const cwd = project('shop', 'version = 1\nagnet = "claude"\n');
  await expect(loader.load({ cwd, env: {} })).rejects.toMatchObject({
    code: 'config-invalid',
    place: { file: join(cwd, 'sandbox.toml'), line: 2, column: 1 },
  });
});

describe('a hostile file', () => {
  test('that takes long does not block the process; loaded in it, it would', async () => {
    await using loader = loaderOf();
    const cwd = project('slow', SLOW);
    const load = loader.load({ cwd, env: {} });
    expect(await longestPauseDuring(load)).toBeLessThan(0.5);
    await expect(load).rejects.toMatchObject({ code: 'config-invalid' });
    expect(await longestPauseDuring(loadProject({ cwd, host: hostFacts() }))).toBeGreaterThan(0.5);
  });

  test('that takes too long is refused at the deadline, and the next request is served', async () => {
    await using loader = loaderOf(1_000);
    const good = project('good', 'version = 1\n');
    // The thread is warm from here on.
    await loader.load({ cwd: good, env: {} });
    await expect(loader.load({ cwd: project('slow', SLOW), env: {} })).rejects.toMatchObject({
      code: 'config-invalid',
      message: 'sandbox.toml could not be loaded',
      why: 'it took longer than 1 s',
    });
    await using patient = loaderOf();
    expect((await patient.load({ cwd: good, env: {} })).name).toBe('good');
  });

  test('that is a named pipe is refused without blocking', async () => {
    await using loader = loaderOf();
    mkdirSync(join(dir, 'pipe'));
    execFileSync('mkfifo', [join(dir, 'pipe', 'sandbox.toml')]);
    await expect(loader.load({ cwd: join(dir, 'pipe'), env: {} })).rejects.toMatchObject({ code: 'config-invalid' });
  });

  test('of a terabyte is refused unread', async () => {
    await using loader = loaderOf();
    const cwd = project('huge', '');
    truncateSync(join(cwd, 'sandbox.toml'), 1024 ** 4);
    await expect(loader.load({ cwd, env: {} })).rejects.toMatchObject({ code: 'config-invalid' });
  });

  test.each(['.config/config.js', 'package.json', '.sbxrc', 'sbx.config.cjs'])(
    'with %s beside it runs nothing',
    async (name) => {
      await using loader = loaderOf();
      const cwd = project('trap', 'version = 1\n');
      const marker = join(dir, 'ran');
      mkdirSync(join(cwd, name, '..'), { recursive: true });
      writeFileSync(join(cwd, name), `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`);
      await loader.load({ cwd, env: {} });
      expect(existsSync(marker)).toBe(false);
    },
  );

  test('with endless sandboxes is refused', async () => {
    await using loader = loaderOf();
    const cwd = project(
      'many',
      `version = 1\n${Array.from({ length: 300 }, (_, index) => `[sandboxes.a${index}]\n`).join('')}`,
    );
    await expect(loader.load({ cwd, env: {} })).rejects.toMatchObject({
      code: 'config-invalid',
      message: 'a project has at most 200 sandboxes',
    });
  });
});

test('requests of one moment are answered each with its own project', async () => {
  await using loader = loaderOf();
  const names = ['a', 'b', 'c', 'd'];
  const loaded = await Promise.all(names.map((name) => loader.load({ cwd: project(name, 'version = 1\n'), env: {} })));
  expect(loaded.map(({ name }) => name)).toEqual(names);
});

test('a thread that ended is replaced', async () => {
  const loader = loaderOf();
  await loader[Symbol.asyncDispose]();
  await using again = loader;
  expect((await again.load({ cwd: project('a', 'version = 1\n'), env: {} })).name).toBe('a');
});
