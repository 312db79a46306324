/** What shows only in the long run. Full counts are the issue's; `SBX_SOAK=0.1` takes a tenth of them. Prints a line of figures for each test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOME, inside, json, must, project, SMALL, sbx } from '../e2e/harness.ts';
import { daemonMegabytes } from '../e2e/resilience/leftovers.ts';
import { roundsLeaveNothing } from '../e2e/resilience/rounds.ts';

const scale = (count: number) => Math.max(2, Math.round(count * Number(process.env['SBX_SOAK'] ?? '1')));

function report(what: string, figures: Record<string, number | string>): void {
  process.stderr.write(`soak: ${what}: ${JSON.stringify(figures)}\n`);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return Math.round(performance.now() - from);
}

describe('for long', () => {
  test('rounds of create, exec, rm leave nothing over', async () => {
    const counted = scale(300);
    const toml = `version = 1\n${SMALL}`;
    const { times, memoryBefore, memoryAfter } = await roundsLeaveNothing({ toml, uncounted: 5, counted });
    report('rounds', { counted, medianMs: median(times), maxMs: Math.max(...times), memoryBefore, memoryAfter });
    // The daemon grows at first without leaking: 29 MB in a hundred rounds, 33 MB in three hundred, half of them its heap. What every round
    // leaves comes on top: over 300 rounds 25 KiB each are seen, less is not.
    expect(memoryAfter - memoryBefore).toBeLessThan(40);
  });

  test('clones of one snapshot differ in everything that must differ, and know what time it is', async () => {
    const count = scale(50);
    await using p = project('clones', `version = 1\n${SMALL}\n[sandboxes.c]\ncount = ${count}\n`);
    const applied = await timed(() => must(['apply', '--yes'], { cwd: p.dir }));
    const script =
      'head -c 16 /dev/urandom | od -An -tx1 | tr -d " \\n"; echo; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; date +%s.%N';
    const answers: string[][] = [];
    const offsets: number[] = [];
    for (let index = 1; index <= count; index += 1) {
      const from = Date.now();
      const lines = (await inside(p.dir, script, [`c-${index}`])).split('\n');
      const inGuest = Number(lines.pop()) * 1000;
      // How far the guest's time lies outside of the time that the question took.
      offsets.push(Math.max(0, from - inGuest, inGuest - Date.now()));
      answers.push(lines);
    }
    report('clones', {
      count,
      applyMs: applied,
      largestClockErrorMs: Math.round(Math.max(...offsets)),
      daemonMegabytes: daemonMegabytes(),
    });
    for (let line = 0; line < 5; line += 1) expect(new Set(answers.map((lines) => lines[line])).size).toBe(count);
    expect(Math.max(...offsets)).toBeLessThan(1000);
  });

  test('1 GiB each way, and fifty commands at once', async () => {
    const mebibytes = scale(1024);
    await using p = project('bulk', `version = 1\n${SMALL}`);
    await must(['apply', '--yes'], { cwd: p.dir });
    const sum = 'sha256sum | cut -c1-64';
    // The same bytes on both sides without keeping them: a keystream from a known key.
    const stream = `openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 0 -in /dev/zero 2>/dev/null | head -c ${mebibytes * 1024 ** 2}`;
    const cli = join(process.cwd(), 'bin/sbx');
    const env = { ...process.env, SBX_HOME: HOME };
    const shell = (script: string) =>
      new Promise<string>((resolve, reject) => {
        const child = spawn('sh', ['-c', script], { cwd: p.dir, env, stdio: ['ignore', 'pipe', 'inherit'] });
        let out = '';
        child.stdout.on('data', (chunk) => {
          out += chunk;
        });
        child.once('close', (code) => (code === 0 ? resolve(out.trim()) : reject(new Error(`${script} → ${code}`))));
      });
    const expected = await shell(`${stream} | ${sum}`);
    let got = '';
    const inMs = await timed(async () => {
      got = await shell(`${stream} | ${cli} exec -i -- sh -c '${sum}'`);
    });
    expect(got).toBe(expected);
    const inner = await shell(`${cli} exec -- sh -c 'head -c ${mebibytes * 1024 ** 2} /dev/zero | ${sum}'`);
    const outMs = await timed(async () => {
      got = await shell(`${cli} exec -- head -c ${mebibytes * 1024 ** 2} /dev/zero | ${sum}`);
    });
    expect(got).toBe(inner);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        sbx(['exec', '--', 'sh', '-c', `echo ${index}; exit 3`], { cwd: p.dir }),
      ),
    );
    expect(answers.map(({ code, stdout }) => `${code} ${stdout.trim()}`)).toEqual(
      answers.map((_, index) => `3 ${index}`),
    );
    const rate = (ms: number) => Math.round((mebibytes * 1024 ** 2) / ms / 100) / 10;
    report('bulk', { mebibytes, inMBs: rate(inMs), outMBs: rate(outMs) });
    expect(await json<unknown[]>(['ls'], { cwd: p.dir })).toBeTruthy();
  });

  test('cold boots under load all come up', async () => {
    const boots = scale(100);
    await using p = project('boots', `version = 1\n${SMALL}`);
    await must(['apply', '--yes'], { cwd: p.dir });
    const burners: ChildProcess[] = [];
    const times: number[] = [];
    let boot2nd = 0;
    try {
      for (let core = 0; core < 2; core += 1)
        burners.push(spawn(process.execPath, ['-e', 'for(;;);'], { stdio: 'ignore' }));
      for (let round = 0; round < boots; round += 1) {
        await must(['stop'], { cwd: p.dir });
        times.push(await timed(() => must(['start'], { cwd: p.dir })));
        expect(await inside(p.dir, 'echo up')).toBe('up');
        // A boot that hung was ended at its deadline and tried again.
        if ((times.at(-1) ?? 0) > 90_000) boot2nd += 1;
      }
    } finally {
      for (const burner of burners) burner.kill('SIGKILL');
      report('boots', {
        boots,
        came: times.length,
        second: boot2nd,
        medianMs: median(times),
        maxMs: Math.max(...times),
      });
    }
  });
});
