import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readProject } from '../../../../lib/cli/command/project.ts';
import { check } from '../../../../lib/cli/commands/net/check.ts';
import { homeOf } from '../../../../lib/paths.ts';
import { FIRST, Records } from '../../../../lib/state/records.ts';

let dir = '';
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-check-')));
  mkdirSync(join(dir, 'project'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const context = () => ({ process, home: homeOf({ SBX_HOME: join(dir, 'home') }), distDir: dir });

function write(allow: string): void {
  writeFileSync(
    join(dir, 'project/sandbox.toml'),
    `version = 1\nname = "box"\nagent = "shell"\n[network]\nallow = [${allow}]\n`,
  );
}

/** As if the file of now had been applied. */
async function apply(): Promise<void> {
  const project = await readProject(context(), join(dir, 'project'));
  const [spec] = project.sandboxes;
  if (spec === undefined) throw new Error('no sandbox');
  const records = new Records(context().home);
  const id = records.idOf(project.dir, spec.name);
  const common = { projectDir: project.dir, project: project.dir, generation: 1, boot: 1, image: null, built: null };
  const times = { resumed: null, createdAt: new Date(0).toISOString(), desired: FIRST };
  await records.put({ version: 1, id, name: spec.name, target: spec, applied: spec, ...common, ...times });
}

async function ask(...args: [string, string?]): Promise<{ code: number; value: unknown; text: string }> {
  const shown = { value: undefined as unknown, text: '' };
  const view = {
    result(value: unknown, text: string) {
      Object.assign(shown, { value, text });
    },
  };
  const input = { context: context(), cwd: join(dir, 'project'), view, flags: {}, args };
  const code = await check(input as unknown as Parameters<typeof check>[0]);
  return { code, ...shown };
}

describe('net check', () => {
  test('answers from the file before the first apply', async () => {
    write('"a.test"');
    expect(await ask('a.test')).toMatchObject({ code: 0, value: { sandbox: 'box', allow: true } });
    expect(await ask('box', 'b.test')).toMatchObject({ code: 4, value: { allow: false } });
  });

  test.each<[string, [string, string?]]>([
    ['without a name', ['b.test']],
    ['with a name', ['box', 'b.test']],
  ])('answers from the approved policy, and says where the file differs: %s', async (_name, args) => {
    write('"a.test"');
    await apply();
    write('"a.test", "b.test"');
    const { code, value, text } = await ask(...args);
    expect(code).toBe(4);
    expect(value).toMatchObject({ allow: false, host: 'b.test', file: { allow: true } });
    expect(text).toMatch(/^b\.test:443 is denied[\s\S]*sandbox\.toml differs: allowed: .*sbx apply$/);
    expect((await ask('a.test')).text).not.toContain('differs');
  });

  test('a line that only moved makes no difference', async () => {
    write('"a.test"');
    await apply();
    write('\n"a.test"');
    const { value, text } = await ask('a.test');
    expect(value).toMatchObject({ detail: expect.stringContaining('sandbox.toml:5') });
    expect(value).not.toHaveProperty('file');
    expect(text).not.toContain('differs');
  });

  test('of a sandbox that the file does not name any more answers from the approved policy alone', async () => {
    write('"a.test"');
    await apply();
    writeFileSync(join(dir, 'project/sandbox.toml'), 'version = 1\nname = "other"\nagent = "shell"\n');
    const { code, value } = await ask('box', 'a.test');
    expect([code, value]).toMatchObject([0, { sandbox: 'box', allow: true }]);
    expect(value).not.toHaveProperty('file');
  });
});
