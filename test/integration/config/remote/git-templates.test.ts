/** Templates of a repository: fetched by the host's git from a real server, pinned, and never run. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadProject } from '../../../../lib/config/load/load-project.ts';
import { fetchingTemplates } from '../../../../lib/config/remote/fetching.ts';
import { lockedTemplates } from '../../../../lib/config/remote/locked.ts';
import { hostFacts } from '../../../unit/config/project.ts';
import { type GitServer, startGitServer } from './git-server.ts';

let server: GitServer;
let dir: string;
let project: string;
let state: string;

beforeAll(async () => {
  server = await startGitServer();
});
afterAll(async () => server[Symbol.asyncDispose]());
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-templates-')));
  [project, state] = [join(dir, 'project'), join(dir, 'state')];
  for (const path of [project, state]) mkdirSync(path);
  for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
});
afterEach(() => {
  server.answer = undefined;
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const write = (...references: string[]) =>
  writeFileSync(join(project, 'sandbox.toml'), `version = 1\nname = "shop"\nextends = ${JSON.stringify(references)}\n`);
const lockFile = () => join(project, 'sandbox.lock');

async function lock({ update = false, pin = true } = {}) {
  const fetching = fetchingTemplates({ stateDir: state, update, pin });
  await loadProject({ cwd: project, host: { ...hostFacts(), templates: fetching.templates } });
  return { isWritten: await fetching.write(), pinned: fetching.pinned() };
}

/** As the daemon does it. */
const load = async () =>
  (await loadProject({ cwd: project, host: { ...hostFacts(), templates: lockedTemplates(state) } })).sandboxes[0];

describe('a template of a repository', () => {
  test('is pinned by its commit, merged with its own templates, and not asked for again: also after its tag moved', async () => {
    const first = server.publish(
      { 'node.toml': 'extends = ["./base/common.toml"]\n[env]\nA = "1"\n', 'base/common.toml': '[env]\nB = "2"\n' },
      'v3',
    );
    write(`${server.url}#v3:node.toml`);
    await expect(load()).rejects.toMatchObject({ code: 'template-missing', place: { line: 3 } });
    expect((await lock()).isWritten).toBe(true);
    expect((await load())?.env).toEqual({ A: '1', B: '2' });
    expect(JSON.parse(readFileSync(lockFile(), 'utf8'))).toMatchObject({
      version: 1,
      templates: { [`${server.url}#v3:node.toml`]: { commit: first } },
    });
    const asked = server.count();
    const second = server.publish({ 'node.toml': '[env]\nA = "moved"\n' }, 'v3');
    expect((await lock()).isWritten).toBe(false);
    expect((await load())?.env).toEqual({ A: '1', B: '2' });
    expect(server.count()).toBe(asked);
    const { pinned } = await lock({ update: true });
    expect(pinned).toMatchObject([{ before: { commit: first }, after: { commit: second } }]);
    expect((await load())?.env).toEqual({ A: 'moved' });
  });

  test('that a colleague pinned is fetched by its commit on another machine, though its branch has moved', async () => {
    server.publish({ 'node.toml': '[env]\nA = "pinned"\n' });
    write(`${server.url}#main:node.toml`);
    await lock();
    server.publish({ 'node.toml': '[env]\nA = "later"\n' });
    rmSync(join(state, 'templates'), { recursive: true });
    await expect(load()).rejects.toMatchObject({
      code: 'template-missing',
      why: expect.stringContaining('not fetched'),
    });
    expect((await lock({ pin: false })).isWritten).toBe(false);
    expect((await load())?.env).toEqual({ A: 'pinned' });
  });

  test('whose pin was changed is refused, and so is a kept copy that was changed', async () => {
    server.publish({ 'node.toml': '[env]\nA = "1"\n' });
    const reference = `${server.url}#main:node.toml`;
    write(reference);
    const { pinned } = await lock();
    const [{ after, trees } = { after: undefined, trees: undefined }] = pinned;
    const content = 'f'.repeat(64);
    writeFileSync(lockFile(), JSON.stringify({ version: 1, templates: { [reference]: { ...after, content } } }));
    await expect(lock({ pin: false })).rejects.toThrow('is not what sandbox.lock says');
    writeFileSync(lockFile(), JSON.stringify({ version: 1, templates: { [reference]: after } }));
    expect((await load())?.env).toEqual({ A: '1' });
    writeFileSync(join(trees?.after ?? '', 'node.toml'), '[env]\nA = "planted"\n');
    await expect(load()).rejects.toMatchObject({ code: 'template-missing' });
    await lock({ pin: false });
    expect((await load())?.env).toEqual({ A: '1' });
  });

  test('is not pinned by what only looks', async () => {
    server.publish({ 'node.toml': '' });
    write(`${server.url}#main:node.toml`);
    await expect(lock({ pin: false })).rejects.toThrow('is not pinned');
    expect(existsSync(lockFile())).toBe(false);
  });

  test('that is a link, is missing, or names a file outside of its repository is refused', async () => {
    symlinkSync('/etc/passwd', join(server.tree, 'link.toml'));
    server.publish({ 'out.toml': 'extends = ["../../../project/own.toml"]\n' });
    write(`${server.url}#main:link.toml`);
    await expect(lock()).rejects.toMatchObject({ why: expect.stringContaining('is a link') });
    write(`${server.url}#main:none.toml`);
    await expect(lock()).rejects.toMatchObject({ why: expect.stringContaining('has no file none.toml') });
    write(`${server.url}#none:out.toml`);
    await expect(lock()).rejects.toMatchObject({ code: 'template-missing', why: expect.stringContaining('none') });
    write(`${server.url}#main:out.toml`);
    await expect(lock()).rejects.toThrow('leads out of its repository');
    expect(existsSync(lockFile())).toBe(false);
  });

  test('runs nothing: no hook, no filter, no submodule of its repository', async () => {
    const marker = join(dir, 'marker');
    server.publish({
      'node.toml': '[env]\nA = "1"\n',
      '.gitattributes': '*.toml filter=evil\n',
      '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch ${marker}"\n`,
    });
    // A careless fetch into a folder with hooks would run this one.
    vi.stubEnv('GIT_TEMPLATE_DIR', join(dir, 'template'));
    mkdirSync(join(dir, 'template/hooks'), { recursive: true });
    for (const hook of ['reference-transaction', 'post-checkout'])
      writeFileSync(join(dir, 'template/hooks', hook), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
    write(`${server.url}#main:node.toml`);
    await lock();
    expect((await load())?.env).toEqual({ A: '1' });
    expect(existsSync(marker)).toBe(false);
    server.git('init', '-q', '--bare', join(dir, 'careless'));
    server.git('--git-dir', join(dir, 'careless'), 'fetch', '-q', server.tree, 'main:refs/heads/x');
    expect(existsSync(marker)).toBe(true);
  });

  test('is not followed to another address', async () => {
    server.publish({ 'node.toml': '' });
    const paths: string[] = [];
    server.answer = ({ url = '' }, response) => {
      paths.push(url);
      response.writeHead(302, { location: `${url.replace('/team/', '/other/')}` }).end();
    };
    write(`${server.url}#main:node.toml`);
    await expect(lock()).rejects.toMatchObject({ code: 'template-missing' });
    expect(paths.filter((path) => path.startsWith('/other/'))).toEqual([]);
  });

  test('cannot be without bounds: too many files', async () => {
    const many = Array.from({ length: 201 }, (_, index) => [`many/${index}.toml`, '']);
    server.publish({ 'node.toml': '', ...Object.fromEntries(many) });
    write(`${server.url}#main:node.toml`);
    await expect(lock()).rejects.toMatchObject({ why: expect.stringContaining('more than 200') });
    rmSync(join(server.tree, 'many'), { recursive: true });
    server.publish({});
  });
});

describe('sandbox.lock', () => {
  test.each([
    ['not JSON', '{'],
    ['of a later version', '{"version":2,"templates":{}}'],
    ['with a commit that is none', '{"version":1,"templates":{"x":{"commit":"--upload-pack=x","content":"a"}}}'],
  ])('that is %s is refused with its place', async (_what, text) => {
    server.publish({ 'node.toml': '' });
    write(`${server.url}#main:node.toml`);
    writeFileSync(lockFile(), text);
    await expect(load()).rejects.toMatchObject({ code: 'config-invalid', place: { file: lockFile() } });
    await expect(lock()).rejects.toMatchObject({ code: 'config-invalid' });
    expect(readFileSync(lockFile(), 'utf8')).toBe(text);
  });

  test('that is a link is not written through', async () => {
    server.publish({ 'node.toml': '' });
    write(`${server.url}#main:node.toml`);
    symlinkSync(join(dir, 'target'), lockFile());
    await expect(lock()).rejects.toMatchObject({ code: 'config-invalid' });
    expect(existsSync(join(dir, 'target'))).toBe(false);
  });
});
