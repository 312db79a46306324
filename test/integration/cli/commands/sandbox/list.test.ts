/** `sbx ls`, `status` and `rm` against the daemon's own server: which sandboxes they mean, and what they say of each. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { listed, startWorld, type World } from '../session/rig.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.removed.length = 0;
  const failed = { type: 'Healthy', status: false, reason: 'vm-died', message: 'the VM ended', since: '' };
  world.others = [
    listed({ id: 'x2', name: 'review', project: 'blog', projectDir: '/gone/blog' }),
    listed({ id: 'x3', name: 'shop', project: 'shop', projectDir: '/gone/shop' }),
    listed({ id: 'x4', name: 'test', project: 'tmp', projectDir: tmpdir(), state: 'failed', conditions: [failed] }),
  ];
});

const elsewhere = { cwd: '/usr' };

test('in a project its own sandboxes are listed, and how many others there are', async () => {
  const { stdout } = await world.sbx(['ls']);
  expect(stdout).toMatch(
    /^NAME +PROJECT +STATE +AGE +AGENT +SESSION +DISK +FOLDER +WHY\nshop +shop +running +3h +shell +- +5\.0 MiB +\//,
  );
  expect(stdout).toContain('3 more of other projects: sbx ls --all\n');
  expect(stdout).not.toContain('blog');
  expect((await world.sbx(['ls', '-q'])).stdout).toBe('x1\n');
  expect(JSON.parse((await world.sbx(['ls', '--json', '-q'])).stdout)).toEqual(['x1']);
});

test('--all, or another folder: all of them, with the reason of each that does not simply run', async () => {
  const { stdout } = await world.sbx(['ls', '--all']);
  expect((await world.sbx(['ls'], elsewhere)).stdout).toBe(stdout);
  expect(stdout).toMatch(/review .* its folder was moved or deleted$/m);
  expect(stdout).toMatch(/test .* failed .* the VM ended$/m);
  expect((await world.sbx(['ls', '-aq'])).stdout).toBe('x1\nx2\nx3\nx4\n');
});

test('a sandbox whose folder is gone is shown and removed by its name or its id', async () => {
  expect((await world.sbx(['status', 'review'])).stdout).toMatch(
    /^sandbox: +blog\/review \(x2\)\nstate: .*moved or deleted$/m,
  );
  expect((await world.sbx(['rm', '--yes', 'review'])).code).toBe(0);
  // Two have the same name.
  expect(await world.sbx(['rm', '--yes', 'shop'], elsewhere)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/shop\/shop of \/gone\/shop \(x3\)[\s\S]*the id/),
  });
  expect((await world.sbx(['rm', '--yes', 'x3'], elsewhere)).code).toBe(0);
  expect(world.removed).toEqual(['x2', 'x3']);
});

test('rm --all: of the project; outside of a project all, after a question', async () => {
  expect(await world.sbx(['rm', '--all', 'shop', '--yes'])).toMatchObject({ code: 2 });
  expect(world.removed).toEqual([]);
  expect((await world.sbx(['rm', '--all', '--yes'])).code).toBe(0);
  expect(world.removed.splice(0)).toEqual(['x1']);
  const unasked = await world.sbx(['rm', '--all'], elsewhere);
  expect({ ...unasked, removed: [...world.removed] }).toMatchObject({ code: 4, removed: [] });
  expect((await onTerminal(['rm', '--all'], 'n\n')).text).toMatch(
    /Remove shop\/shop, blog\/review, shop\/shop, tmp\/test with their disks\?/,
  );
  expect(world.removed).toEqual([]);
  expect(await onTerminal(['rm', '--all'], 'y\n')).toMatchObject({ code: 0 });
  expect(world.removed).toEqual(['x1', 'x2', 'x3', 'x4']);
});

/** Outside of a project. */
async function onTerminal(args: string[], answer: string): Promise<{ code: number; text: string }> {
  const line = `cd /usr && SBX_HOME=${world.home} ${resolve('bin/sbx')} ${args.join(' ')}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (data: Buffer) => {
    if (!text.includes('[y/N]') && `${text}${data}`.includes('[y/N]')) child.stdin.write(answer);
    text += data;
  });
  const code = await new Promise<number>((done) => child.once('close', (status) => done(status ?? -1)));
  return { code, text };
}
