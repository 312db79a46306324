/** Tools that come by apt: too long to install for each run of the end-to-end tests. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inside, must, type Project, project } from '../e2e/harness.ts';
import { InsideProcess } from '../e2e/inside-process.ts';

const TOML = `version = 1
agent = "shell"
[resources]
memory = "1GiB"
[packages]
apt = ["git-lfs", "watchman"]
[network]
allow = ["preset:apt"]
`;

let p: Project;
const host = (name: string) => join(p.dir, name);

beforeAll(async () => {
  p = project('soak-tools', TOML);
  execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: p.dir });
  mkdirSync(host('watched'));
  await must(['apply', '--yes'], { cwd: p.dir });
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

test('git lfs is installed in a repository and takes a file; the host keeps its configuration and has no hook', async () => {
  const config = readFileSync(host('.git/config'), 'utf8');
  const script = `set -e
git config user.name a; git config user.email a@b
git lfs install --local >/dev/null; git lfs track '*.bin' >/dev/null
head -c 100000 /dev/urandom > data.bin; git add .gitattributes data.bin; git commit -qm large
git cat-file blob HEAD:data.bin | head -1; git lfs ls-files --name-only`;
  expect(await inside(p.dir, script)).toBe('version https://git-lfs.github.com/spec/v1\ndata.bin');
  expect(readFileSync(host('.git/config'), 'utf8')).toBe(config);
  const hooks = execFileSync('ls', ['-A', host('.git/hooks')], { encoding: 'utf8' }).split('\n');
  expect(hooks.filter((name) => name !== '' && !name.endsWith('.sample'))).toEqual([]);
});

test('watchman reports what is created, changed, renamed and removed on the host', async () => {
  const subscribe = `["subscribe", "${p.dir}", "edits", {"expression": ["dirname", "watched"], "fields": ["name", "exists"]}]`;
  await must(['exec', '--', 'watchman', 'watch', p.dir], { cwd: p.dir });
  await using watcher = new InsideProcess(p.dir, ['watchman', '-j', '-p', '--server-encoding=json']);
  watcher.write(`${subscribe}\n`);
  await watcher.said('is_fresh_instance');
  const told = async (make: () => void, ...words: string[]) => {
    make();
    for (const word of words) await watcher.said(word);
  };
  await told(() => writeFileSync(host('watched/one'), '1'), 'watched/one');
  await told(() => writeFileSync(host('watched/one'), '22'), 'watched/one');
  await told(() => renameSync(host('watched/one'), host('watched/two')), 'watched/two');
  await told(() => rmSync(host('watched/two')), 'watched/two');
});
