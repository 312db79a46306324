import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ask, outcomeOf, runner, useAgent } from '../agent/agent-rig.ts';

const MIB = 1024 ** 2;

const rig = useAgent();
const run = runner(rig);

describe('much at once', () => {
  test('50 commands', async () => {
    const found = await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const child = rig.guest.exec(ask(['sh', '-c', `cat; echo err${index} >&2; exit ${index}`], { stdin: true }));
        child.stdin.end(`in${index} `.repeat(20_000));
        return outcomeOf(child);
      }),
    );
    found.forEach((outcome, index) => {
      expect(outcome.code).toBe(index);
      expect(outcome.stderr).toBe(`err${index}\n`);
      expect(outcome.stdout === `in${index} `.repeat(20_000)).toBe(true);
    });
  });

  test('256 MiB each way, byte for byte', async () => {
    const child = rig.guest.exec(ask(['cat'], { stdin: true }));
    const sent = createHash('sha256');
    const got = createHash('sha256');
    const block = randomBytes(MIB);
    const writing = (async () => {
      for (let index = 0; index < 256; index += 1) {
        const chunk = Buffer.from(block);
        chunk.writeUInt32BE(index, (index * 4096) % MIB);
        sent.update(chunk);
        if (!child.stdin.write(chunk)) await new Promise((resolve) => child.stdin.once('drain', resolve));
      }
      child.stdin.end();
    })();
    let bytes = 0;
    for await (const chunk of child.stdout) {
      got.update(chunk as Buffer);
      bytes += (chunk as Buffer).length;
    }
    await writing;
    expect(await child.exit).toEqual({ code: 0 });
    expect(bytes).toBe(256 * MIB);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
  });

  test('a slow reader delays its own command only', async () => {
    const slow = rig.guest.exec(ask(['head', '-c', String(32 * MIB), '/dev/zero']));
    await sleep(200);
    expect(await run(['echo', 'quick'])).toMatchObject({ code: 0, stdout: 'quick\n' });
    let bytes = 0;
    for await (const chunk of slow.stdout) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(32 * MIB);
    expect(await slow.exit).toEqual({ code: 0 });
  });
});
