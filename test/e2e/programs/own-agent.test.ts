/** Agents as data: a made-up one runs from one file, and an agent's packages are a layer that changes alone. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, json, must, type Project, project, SMALL } from '../harness.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/own-agent', import.meta.url));

describe('a custom agent', () => {
  let p: Project;

  beforeAll(async () => {
    p = project('parrot', readFileSync(join(EXAMPLE, 'sandbox.toml'), 'utf8'));
    copyFileSync(join(EXAMPLE, 'parrot.toml'), join(p.dir, 'parrot.toml'));
    await must(['apply', '--yes'], { cwd: p.dir });
  });
  afterAll(async () => {
    await p?.[Symbol.asyncDispose]();
  });

  test('is described by one file, and works in the workspace as the user', async () => {
    const { headless } = await json<{ headless: string[] }>(['template', 'show', './parrot.toml'], { cwd: p.dir });
    const words = headless.map((word) => word.replace('{prompt}', 'hello there'));
    const { stdout } = await must(['exec', '--', ...words], { cwd: p.dir });
    expect(stdout).toBe('the green parrot says: hello there\n');
    expect(readFileSync(join(p.dir, 'parrot.txt'), 'utf8')).toBe(stdout);
    expect(statSync(join(p.dir, 'parrot.txt')).uid).toBe(process.getuid?.());
  });

  test('finds its files in place, with the right owner and mode', async () => {
    const list = await inside(
      p.dir,
      'stat -c "%U %a %n" ~/.config/parrot ~/.config/parrot/settings.json /usr/local/lib/parrot.sh',
    );
    expect(list.split('\n')).toEqual([
      'agent 700 /home/agent/.config/parrot',
      'agent 600 /home/agent/.config/parrot/settings.json',
      'root 755 /usr/local/lib/parrot.sh',
    ]);
  });

  test('keeps its changes of these files until the base changes', async () => {
    await inside(p.dir, 'echo changed > ~/.config/parrot/settings.json');
    await must(['stop'], { cwd: p.dir });
    await must(['start'], { cwd: p.dir });
    expect(await inside(p.dir, 'cat ~/.config/parrot/settings.json')).toBe('changed');
    await must(['reset', '--yes', '--discard'], { cwd: p.dir });
    expect(await inside(p.dir, 'cat ~/.config/parrot/settings.json')).toContain('"voice": "green"');
  });
});

describe('the layer of an agent', () => {
  const toml = `version = 1\nextends = ["./tool.toml"]\n${SMALL}`;
  const agent = (version: string) =>
    `[packages]\nnpm = ["semver@${version}"]\n[agent]\nname = "tool"\ncommand = ["semver"]\nheadless = ["semver", "{prompt}"]\n`;
  const built = (stderr: string) => [...stderr.matchAll(/building the (\w+) layer/g)].map(([, kind]) => kind);
  let one: Project;
  let two: Project;

  beforeAll(async () => {
    [one, two] = [project('layer-one', toml), project('layer-two', toml)];
    for (const { dir } of [one, two]) writeFileSync(join(dir, 'tool.toml'), agent('7.7.2'));
    await must(['apply', '--yes'], { cwd: one.dir });
  });
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  test('serves a second project at once', async () => {
    const { stderr } = await must(['apply', '--yes'], { cwd: two.dir });
    expect(built(stderr)).toEqual([]);
    expect(await inside(two.dir, 'semver -i minor 1.2.3')).toBe('1.3.0');
  });

  test('is rebuilt alone when the agent’s version changes', async () => {
    writeFileSync(join(one.dir, 'tool.toml'), agent('7.7.3'));
    const plan = await json<{ changes: { path: string; effect: string; source: { file: string } }[] }>(['plan'], {
      cwd: one.dir,
    });
    expect(plan.changes).toMatchObject([
      { path: 'packages.npm', effect: 'rebuild', source: { file: join(one.dir, 'tool.toml') } },
    ]);
    const { stderr } = await must(['apply', '--yes'], { cwd: one.dir });
    // Built here, or by an earlier run of the tests; the layers below never.
    expect([['agent', 'warm'], []]).toContainEqual(built(stderr));
    const version = (dir: string) =>
      inside(dir, 'node -p "require(\'/usr/local/lib/node_modules/semver/package.json\').version"');
    expect([await version(one.dir), await version(two.dir)]).toEqual(['7.7.3', '7.7.2']);
  });
});
