import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HOME, inside, must, processesWith, project, SMALL } from '../e2e/harness.ts';

/** Counts of the issue; smaller ones by `SBX_SOAK=0.1`. */
const scale = (count: number) => Math.max(2, Math.round(count * Number(process.env['SBX_SOAK'] ?? '1')));

describe('for long', () => {
  test('rounds of create, exec, rm leave nothing over', async () => {
    await using p = project('rounds', `version = 1\n${SMALL}`);
    await must(['apply', '--yes'], { cwd: p.dir });
    await must(['rm', '--yes'], { cwd: p.dir });
    const look = () => ({
      processes: processesWith(`sbx-vm:${HOME}`).length,
      instances: readdirSync(join(HOME, 'instances')),
      store: readdirSync(join(HOME, 'store')).length,
    });
    const before = look();
    for (let round = 0; round < scale(300); round += 1) {
      await must(['apply', '--yes'], { cwd: p.dir });
      expect(await inside(p.dir, 'echo round')).toBe('round');
      await must(['rm', '--yes'], { cwd: p.dir });
    }
    expect(look()).toEqual(before);
  });

  test('many clones of one snapshot differ in everything that must differ', async () => {
    const count = scale(50);
    await using p = project('clones', `version = 1\n${SMALL}\n[sandboxes.c]\ncount = ${count}\n`);
    await must(['apply', '--yes'], { cwd: p.dir });
    const script =
      'head -c 16 /dev/urandom | od -An -tx1 | tr -d " \\n"; echo; cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id; hostname';
    const answers: string[][] = [];
    for (let index = 1; index <= count; index += 1)
      answers.push((await inside(p.dir, script, [`c-${index}`])).split('\n'));
    for (let line = 0; line < 5; line += 1) expect(new Set(answers.map((lines) => lines[line])).size).toBe(count);
  });

  test('cold boots under load all come up', async () => {
    await using p = project('boots', `version = 1\n${SMALL}`);
    await must(['apply', '--yes'], { cwd: p.dir });
    const load = new AbortController();
    const { spawn } = await import('node:child_process');
    const burners = [1, 2].map(() =>
      spawn(process.execPath, ['-e', 'for(;;);'], { signal: load.signal, stdio: 'ignore' }).on('error', () => {}),
    );
    try {
      for (let round = 0; round < scale(100); round += 1) {
        await must(['stop'], { cwd: p.dir });
        await must(['start'], { cwd: p.dir });
        expect(await inside(p.dir, 'echo up')).toBe('up');
      }
    } finally {
      load.abort();
    }
    expect(burners.length).toBe(2);
    expect(readFileSync('/proc/loadavg', 'utf8')).toBeTruthy();
  });
});
