/** What `[packages]` bakes in. The Python index is a double; pip, the bake and the machine are real. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inside, must, netLog, type Project, project, sbx } from '../harness.ts';
import { INDEX, type ProgramWorld, programToml, startProgramWorld, UNREAD } from './program-world.ts';

// Its requests are read: pip inside has to trust the sandbox's own authority.
const TOML = `${programToml(['preset:pip'])}[[network.http]]\nhost = "${INDEX}"\nmethods = ["GET"]\n`;

let world: ProgramWorld;
let p: Project;

beforeAll(async () => {
  world = await startProgramWorld();
  p = project('packages', TOML);
  // Its environment is the daemon's: none of an earlier one may serve.
  await must(['daemon', 'stop', '--yes'], { cwd: p.dir });
  await command(['apply', '--accept-widening']);
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
  await must(['daemon', 'stop', '--yes'], { cwd: '/' });
  await world?.[Symbol.asyncDispose]();
});

const command = (args: string[]) => must(args, { cwd: p.dir, env: world.environment });

test('apt, npm and setup lines are baked into the image', async () => {
  expect(await inside(p.dir, 'echo "[1]" | gron | head -1; ls /usr/local/lib/node_modules; cat /etc/baked')).toBe(
    'json = [];\nis-number\nbaked',
  );
});

test('a package from the pip index of this host is baked into the image, for every user', async () => {
  expect(await inside(p.dir, 'python3 -c \'from sbx_greeting import greet; print(greet("agent"))\'')).toBe(
    'hello agent',
  );
  const version = 'from importlib.metadata import version; print(version("sbx-greeting"))';
  expect(await inside(p.dir, `sudo -n python3 -c '${version}'`)).toBe('1.0');
});

test('preset:pip lets a running sandbox install from that index, and reach no other host', async () => {
  const install = 'python3 -m pip install --user --break-system-packages --disable-pip-version-check';
  await inside(p.dir, `${install} sbx-farewell`);
  expect(await inside(p.dir, 'python3 -c "import sbx_farewell; print(sbx_farewell.WORD)"')).toBe('farewell');
  expect((await netLog(p.dir)).map(({ path }) => path)).toContain('/simple/sbx-farewell/');
  const other = await inside(
    p.dir,
    `${install} --retries 1 --index-url https://${UNREAD}/simple sbx-greeting==3 2>&1; echo "ended $?"`,
  );
  expect(other).toMatch(/403 Forbidden by sbx[\s\S]*ended 1$/);
});

test('added packages are installed in the sandbox as it runs, under its own policy', async () => {
  const added = TOML.replace('"gron"', '"gron", "ripgrep"').replace(
    'pip = ["sbx-greeting==1.0"]',
    'pip = ["sbx-greeting==1.0", "sbx-farewell==2.0"]',
  );
  const boot = 'cat /proc/sys/kernel/random/boot_id';
  await inside(p.dir, 'echo mine > ~/kept');
  const [before, working] = [
    await inside(p.dir, boot),
    inside(p.dir, 'until test -e ~/end; do sleep 1; done; echo done'),
  ];
  p.write(added);
  const denied = await sbx(['apply'], { cwd: p.dir, env: world.environment });
  expect([denied.code, denied.stderr]).toEqual([
    1,
    expect.stringMatching(/packages\.apt[\s\S]*by sbx[\s\S]*preset:apt/),
  ]);
  expect(await inside(p.dir, 'cat ~/kept; which rg || echo none')).toBe('mine\nnone');
  p.write(
    added
      .replace('"preset:pip"', '"preset:pip", "preset:apt"')
      .replace('"echo baked > /etc/baked"', '"echo baked > /etc/baked", "echo later >> /etc/later"'),
  );
  await command(['apply', '--accept-widening']);
  expect(await inside(p.dir, `${boot}; cat ~/kept /etc/later; rg --version | head -c 7`)).toBe(
    `${before}\nmine\nlater\nripgrep`,
  );
  expect(await inside(p.dir, 'sudo -n python3 -c "import sbx_farewell; print(sbx_farewell.WORD)"')).toBe('farewell');
  await inside(p.dir, 'touch ~/end');
  expect(await working).toBe('done');
  expect(JSON.parse((await command(['plan', '--json'])).stdout).changes).toEqual([]);
}, 1_200_000);

test('a package that does not exist fails the bake, and the error names its line', async () => {
  writeFileSync(
    join(p.dir, 'tool.toml'),
    '[packages]\npip = ["sbx-missing"]\n[agent]\nname = "tool"\ncommand = ["true"]\nheadless = ["true", "{prompt}"]\n',
  );
  p.write(TOML.replace('version = 1\n', 'version = 1\nextends = ["./tool.toml"]\n'));
  const failed = await sbx(['apply', '--yes'], { cwd: p.dir, env: world.environment });
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain('the bake failed at packages.pip: pip install sbx-missing');
  expect(failed.stderr).toMatch(/No matching distribution found for sbx-missing/);
});
