/** What one VM does to the gateway, it does to itself: the others are served as before, and the log stays small. */

import { execFileSync } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openAudit } from '../../../../lib/gateway/audit/audit.ts';
import { answering, GET, openClient, POLICY, type Rig, startRig } from '../rig.ts';

const CLOSE = 'Connection: close\r\n';
const ROUNDS = 60;

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function latencies(rig: Rig): Promise<number[]> {
  const found: number[] = [];
  for (let count = 0; count < ROUNDS; count += 1) {
    const began = performance.now();
    expect(await rig.ask(GET('http://api.ok.test/', CLOSE))).toContain('200 OK');
    found.push(performance.now() - began);
  }
  return found;
}

/** Connects, says something, waits for the answer, begins again, on many connections at once. */
async function flood(rig: Rig, bytes: string, signal: AbortSignal): Promise<number> {
  let sent = 0;
  setMaxListeners(0, signal);
  const one = async () => {
    while (!signal.aborted) {
      const client = await openClient(rig.socketPath).catch(() => undefined);
      if (client === undefined) continue;
      const stop = () => client.socket.destroy();
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      client.send(bytes);
      await client.end();
      signal.removeEventListener('abort', stop);
      client.socket.destroy();
      sent += 1;
    }
  };
  await Promise.all(Array.from({ length: 300 }, one));
  return sent;
}

describe('a flood of one VM', () => {
  test.each([
    ['denied requests', GET('http://evil.test/', CLOSE)],
    ['what is no request', 'GET / HTTP/9\r\n\r\n'],
    ['connections that say nothing', ''],
    ['heads as large as may be', GET('http://evil.test/', `${CLOSE}${`a: ${'b'.repeat(120)}\r\n`.repeat(498)}`)],
    ['paths as long as may be, to rules by path', GET(`http://api.ok.test/${'a%25'.repeat(16_000)}`, CLOSE)],
  ])('%s: does not change the latency of another VM, and each denial is in the log', async (name, bytes) => {
    await using victim = await startRig({ upstream: answering() });
    const http = [{ host: 'api.ok.test', methods: [], paths: ['/**b**c**/d', '/*/*/e**'] }];
    await using attacker = await startRig({ policy: { ...POLICY, http } });
    const quiet = median(await latencies(victim));
    const abort = new AbortController();
    const flooding = flood(attacker, bytes, abort.signal);
    await sleep(500);
    const loud = median(await latencies(victim));
    abort.abort();
    await flooding;
    const [before, under] = [quiet, loud].map((value) => value.toFixed(2));
    process.stdout.write(`${name}: a request of another VM takes ${under} ms instead of ${before} ms\n`);
    // Generous: client, flood and gateway share one event loop here, which they do not in life.
    expect(loud / quiet).toBeLessThan(20);
    const denials = attacker.records().filter(({ verdict }) => verdict === 'deny');
    await attacker.listener.close();
    const known = attacker.records().reduce((sum, { verdict, count = 1 }) => sum + (verdict === 'deny' ? count : 0), 0);
    expect(known).toBe(attacker.listener.stats.denied);
    expect(denials.length).toBeLessThan(1_000);
  });
});

describe('a log on a full disk', () => {
  /** A limit on the size of files: every further byte is EFBIG, as a full disk gives ENOSPC. */
  const limitFiles = (bytes: number | 'unlimited') =>
    execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`]);

  test('stops the listener from serving, stays readable, and lets it serve again once there is space', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sbx-full-'));
    onTestFinished(() => {
      limitFiles('unlimited');
      rmSync(dir, { recursive: true, force: true });
    });
    const path = join(dir, 'audit.jsonl');
    await using rig = await startRig({ audit: openAudit(path), upstream: answering() });
    const ask = () => rig.ask(GET('http://api.ok.test/', CLOSE));
    expect(await ask()).toContain('200 OK');
    const dialled = rig.dials.length;
    limitFiles(statSync(path).size + 50);
    for (let count = 0; count < 3; count += 1) expect(await ask()).toContain('the audit log cannot be written');
    expect(rig.dials).toHaveLength(dialled);
    limitFiles('unlimited');
    expect(await ask()).toContain('200 OK');
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'));
    expect(lines.map((line) => (JSON.parse(line) as { verdict: string }).verdict)).toEqual([
      'allow',
      'closed',
      'allow',
      'closed',
    ]);
  });

  test('without the control lets requests out unrecorded', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sbx-full-'));
    onTestFinished(() => {
      limitFiles('unlimited');
      rmSync(dir, { recursive: true, force: true });
    });
    const audit = openAudit(join(dir, 'audit.jsonl'));
    await using rig = await startRig({ audit, upstream: answering(), enforcement: { audit: false } });
    limitFiles(50);
    expect(await rig.ask(GET('http://api.ok.test/', CLOSE))).toContain('200 OK');
    expect(rig.dials).toHaveLength(1);
  });
});
