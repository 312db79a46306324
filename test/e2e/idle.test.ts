import { describe, expect, test } from 'vitest';
import { appliedProject } from './applied-project.ts';
import { inside, json, must, qemusOf, SHELL, sbx, statusOf, until } from './harness.ts';

const IDLE = 3;
/** Longer than that and than the pause between two looks */
const BUSY = IDLE + 11;

describe('a sandbox with an idle time', () => {
  const p = appliedProject('idle', `${SHELL}[lifecycle]\nrestart = "always"\nidle = "${IDLE}s"\n`);
  const stopped = () => until(async () => (await statusOf(p.dir)).state === 'stopped');

  test('is stopped when nobody uses it, stays so, and says why', async () => {
    await inside(p.dir, 'echo kept | sudo tee /kept && sync');
    const { id, pid } = await statusOf(p.dir);
    await stopped();
    const { conditions } = await statusOf(p.dir);
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: false, reason: 'StoppedIdle' }));
    expect(qemusOf(id)).toEqual([]);
    const { code, stderr } = await sbx(['exec', '--', 'true'], { cwd: p.dir });
    expect([code, stderr]).toEqual([1, expect.stringContaining(`it was stopped after ${IDLE}s without use`)]);
    // The next daemon leaves it alone, too.
    await must(['daemon', 'stop'], { cwd: p.dir });
    expect(await statusOf(p.dir)).toMatchObject({ state: 'stopped', pid: null });
    expect(pid).not.toBeNull();
  });

  test('is started by who uses it, with its disk, and is not stopped while a command or a session goes on', async () => {
    const { stdout } = await must(['exec', '--apply', '--', 'sh', '-c', `cat /kept; sleep ${BUSY}; echo done`], {
      cwd: p.dir,
    });
    expect(stdout).toBe('kept\ndone\n');
    const { pid } = await statusOf(p.dir);
    await must(['run', '--headless', `sleep ${BUSY}; echo of its agent`], { cwd: p.dir });
    expect((await statusOf(p.dir)).pid).toBe(pid);
    await stopped();
    expect(await json(['plan'], { cwd: p.dir })).toMatchObject({ changes: [{ path: 'machine', from: 'stopped' }] });
  });
});
