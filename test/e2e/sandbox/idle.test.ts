import { describe, expect, test } from 'vitest';
import { appliedProject } from '../applied-project.ts';
import { inside, json, must, qemusOf, SHELL, statusOf, until } from '../harness.ts';

const IDLE = 3;
/** Longer than that and than the pause between two looks */
const BUSY = IDLE + 11;

describe('a sandbox with an idle time', () => {
  const p = appliedProject('idle', `${SHELL}[lifecycle]\nrestart = "always"\nidle = "${IDLE}s"\n`);
  const stopped = () => until(async () => (await statusOf(p.dir)).state === 'stopped');

  test('is stopped when it is not used, and stays stopped', async () => {
    await inside(p.dir, 'echo kept | sudo tee /kept && sync');
    const { id, pid } = await statusOf(p.dir);
    await stopped();
    const { conditions } = await statusOf(p.dir);
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: false, reason: 'StoppedIdle' }));
    expect(qemusOf(id)).toEqual([]);
    // The next daemon leaves it alone, too.
    await must(['daemon', 'stop'], { cwd: p.dir });
    expect(await statusOf(p.dir)).toMatchObject({ state: 'stopped', pid: null });
    expect(pid).not.toBeNull();
  });

  test('is started by a command, with its disk, and keeps running during a command or a session', async () => {
    const script = `cat /kept; sleep ${BUSY}; echo done`;
    const { stdout, stderr } = await must(['exec', '--', 'sh', '-c', script], { cwd: p.dir });
    expect(stdout).toBe('kept\ndone\n');
    expect(stderr).toContain(`stopped after ${IDLE}s without use`);
    const { pid } = await statusOf(p.dir);
    await must(['run', '--headless', `sleep ${BUSY}; echo of its agent`], { cwd: p.dir });
    expect((await statusOf(p.dir)).pid).toBe(pid);
    await stopped();
    expect(await json(['plan'], { cwd: p.dir })).toMatchObject({ changes: [{ path: 'power', from: 'off' }] });
  });
});
