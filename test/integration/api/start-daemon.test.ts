/** A client of another build replaces the daemon only when nothing is cut off by that. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DaemonClient } from '../../../lib/api/client.ts';
import { running } from '../../../lib/api/connection.ts';
import { API_VERSION, type DaemonService } from '../../../lib/api/contract.ts';
import { launching, readBuild } from '../../../lib/api/ensure-daemon.ts';
import { endDaemon } from '../../../lib/api/stop-daemon.ts';
import { serve } from '../../../lib/daemon/server.ts';
import { SbxError } from '../../../lib/errors.ts';
import { type Home, homeOf } from '../../../lib/paths.ts';
import type { Consent } from '../../../lib/plan/loss.ts';

const DIST = resolve('dist');
const RUNS = 'its end would cut off shop: a session of claude since 2026-11-28 09:05';

let home: Home;
let older: AsyncDisposable | undefined;
let said: string[];
beforeEach(() => {
  home = homeOf({ SBX_HOME: mkdtempSync(join(tmpdir(), 'sbx-u-')) });
  said = [];
});
afterEach(async () => {
  await older?.[Symbol.asyncDispose]();
  await endDaemon(new DaemonClient(running(home)), { home, confirmed: true });
  rmSync(home.root, { recursive: true, force: true });
});

/** A daemon of another build. */
async function startOlder({ apiVersion = API_VERSION, inUse = true } = {}): Promise<void> {
  const service = {
    build: 'older',
    status: () => ({ build: 'older', apiVersion }),
    list: async () => [],
    async shutdown({ confirmed = false }: Consent) {
      if (inUse && !confirmed) throw new SbxError('needs-confirmation', 'the sbx daemon is in use', { why: RUNS });
      return () => void older?.[Symbol.asyncDispose]();
    },
  };
  older = await serve(home, service as unknown as DaemonService);
}

const newer = () => new DaemonClient(launching({ home, distDir: DIST, say: (text) => said.push(text) }));
const buildThatAnswers = async () => (await new DaemonClient(running(home)).status()).build;

test('nothing runs through it: it is replaced, and the client says so', async () => {
  await startOlder({ inUse: false });
  expect(await newer().list()).toEqual([]);
  expect([await buildThatAnswers(), said]).toEqual([readBuild(DIST), ['the daemon of another build was replaced']]);
});

test('a session runs through it: it stays, the client works with it and says in one line why and what to do', async () => {
  await startOlder();
  const client = newer();
  expect(await client.list()).toEqual([]);
  expect(await client.list()).toEqual([]);
  expect(await buildThatAnswers()).toBe('older');
  expect(said).toEqual([expect.stringMatching(/^the daemon of another build stays.*since 2026-11-28 09:05.*--yes`$/)]);
});

test('a session runs through it and its API is another one: refused', async () => {
  await startOlder({ apiVersion: 0 });
  await expect(newer().list()).rejects.toMatchObject({
    code: 'needs-confirmation',
    exitCode: 4,
    why: RUNS,
    hint: expect.stringContaining('sbx daemon stop --yes'),
  });
  expect(await buildThatAnswers()).toBe('older');
});

test('one that cannot start: its own words are the reason, not those of an earlier daemon', async () => {
  const dist = join(home.root, 'dist');
  mkdirSync(dist);
  mkdirSync(home.daemon.dir, { mode: 0o700 });
  writeFileSync(join(dist, 'build.json'), readFileSync(join(DIST, 'build.json')));
  writeFileSync(join(dist, 'daemon.js'), 'process.stderr.write("the disk is on fire\\n"); process.exit(1);\n');
  writeFileSync(home.daemon.log, 'an earlier end, which has another reason\n');
  const client = new DaemonClient(launching({ home, distDir: dist, say: () => {} }));
  const error = await client.list().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'daemon-unreachable', why: expect.stringContaining('the disk is on fire') });
  expect(error).not.toMatchObject({ why: expect.stringContaining('earlier') });
});

test('one that is in use ends only after the user has agreed', async () => {
  await startOlder();
  const client = new DaemonClient(running(home));
  await expect(endDaemon(client, { home })).rejects.toMatchObject({ code: 'needs-confirmation' });
  expect(await buildThatAnswers()).toBe('older');
  expect(await endDaemon(client, { home, confirmed: true })).toBe(true);
});
