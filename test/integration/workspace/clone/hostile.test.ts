/** A hostile guest's answer to a fetch, and a host's repository whose files would run programs: each control with its twin. */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliver } from '../../../../lib/workspace/clone/deliver.ts';
import { fetchCommits } from '../../../../lib/workspace/clone/fetch.ts';
import { fillClone } from '../../../../lib/workspace/clone/fill.ts';
import type { CloneRecord } from '../../../../lib/workspace/clone/record.ts';
import { checkName } from '../../../../lib/workspace/clone/review.ts';
import { git, tryGit } from '../../../../lib/workspace/git/git.ts';
import { PACK_LIMITS } from '../../../../lib/workspace/git/pack-limits.ts';
import { Quarantine } from '../../../../lib/workspace/git/quarantine.ts';
import { commit, run, type World, world } from './fake-guest.ts';

let w: World;
let record: CloneRecord;

beforeEach(async () => {
  w = world();
  const source = await fillClone(w.guest, w.repo, { hide: [], parent: w.dir, target: w.target });
  if (source === undefined) throw new Error('it was there');
  record = { version: 1, path: w.repo, hide: [], top: w.repo, tips: source.tips, head: source.head, fetched: [] };
});
afterEach(() => w[Symbol.dispose]());

const state = () => join(w.dir, 'state');
const fetched = (more: object = {}) =>
  fetchCommits(w.guest, { record, name: 'shop', parent: state(), target: w.target, ...more });

/** Nothing came of it: no branch, no object of it, no quarantine left. */
async function refusedWith(text: string | RegExp, more: object = {}): Promise<void> {
  const refs = run(w.repo, 'for-each-ref');
  const objects = run(w.repo, 'count-objects', '-v');
  await expect(fetched(more)).rejects.toMatchObject({ why: expect.stringMatching(text) });
  expect(run(w.repo, 'for-each-ref')).toBe(refs);
  expect(run(w.repo, 'count-objects', '-v')).toBe(objects);
  expect(existsSync(state()) ? readdirSync(state()) : []).toEqual([]);
}

/** A commit with one crafted tree, each entry as `mode name` and its content. */
function crafted(entries: [mode: string, name: string, content: string][]): void {
  const parts = entries.map(([mode, name, content]) => {
    const blob = join(w.dir, 'blob');
    writeFileSync(blob, content);
    const id = mode === '160000' ? run(w.target, 'rev-parse', 'HEAD') : run(w.target, 'hash-object', '-w', blob);
    return Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]);
  });
  const file = join(w.dir, 'tree');
  writeFileSync(file, Buffer.concat(parts));
  const tree = run(w.target, 'hash-object', '-w', '-t', 'tree', '--literally', file);
  run(w.target, 'update-ref', 'HEAD', run(w.target, 'commit-tree', '-p', 'HEAD', '-m', 'crafted', tree));
}

describe('a hostile answer', () => {
  test.each<[string, [string, string, string][]]>([
    ['.git in a tree', [['100644', '.git', 'x']]],
    ['.GIT in a tree', [['100644', '.GIT', 'x']]],
    ['a name for .git of Windows', [['100644', 'git~1', 'x']]],
    ['.git with an ignored character', [['100644', '.g\u200cit', 'x']]],
    ['.. in a tree', [['100644', '..', 'x']]],
    ['a slash in a name', [['100644', 'a/../../b', 'x']]],
    ['.gitmodules as a link', [['120000', '.gitmodules', '/etc/passwd']]],
    [
      'a submodule whose URL is an option',
      [['100644', '.gitmodules', '[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch /tmp/x\n']],
    ],
    [
      'a submodule whose name leads out',
      [['100644', '.gitmodules', '[submodule "../../x"]\n\tpath = x\n\turl = https://x.example/\n']],
    ],
    [
      'two entries of one name',
      [
        ['100644', 'a', 'x'],
        ['100644', 'a', 'y'],
      ],
    ],
  ])('%s is refused; the twin takes it', async (_, entries) => {
    crafted(entries);
    await refusedWith(/./);
    const options = { parent: state(), commonDir: join(w.repo, '.git'), format: 'sha1', limits: PACK_LIMITS } as const;
    using open = await Quarantine.create({ ...options, unchecked: true });
    const pack = join(w.dir, 'sent');
    const { createReadStream } = await import('node:fs');
    const { execFileSync } = await import('node:child_process');
    writeFileSync(
      pack,
      execFileSync('git', ['pack-objects', '-q', '--revs', '--stdout'], { cwd: w.target, input: 'HEAD\n' }),
    );
    await open.take(createReadStream(pack));
  });

  test.each([
    ['nothing', 'cat >/dev/null'],
    ['no id', 'cat >/dev/null; echo refs/heads/main'],
    ['an option as id', 'cat >/dev/null; echo --upload-pack=x'],
    ['a line without end', 'cat >/dev/null; head -c 100000 /dev/zero'],
  ])('%s is refused', async (_, script) => {
    w.answerWith(script);
    await refusedWith('sent no commit');
  });

  test('a guest that never answers is ended by the signal', async () => {
    w.answerWith('cat >/dev/null; echo started >"$HOME/started"; exec sleep 1000');
    const abort = new AbortController();
    const fetching = fetched({ signal: abort.signal });
    fetching.catch(() => {});
    await vi.waitUntil(() => existsSync(join(w.dir, 'started')), { timeout: 20_000 });
    abort.abort(new Error('enough'));
    await expect(fetching).rejects.toThrow('enough');
    expect(readdirSync(state())).toEqual([]);
  });

  test('a damaged pack, no pack, and a pack without what the commit needs are refused', async () => {
    const id = commit(w.target, { 'b.txt': 'b\n' });
    w.answerWith(`cat >/dev/null; echo ${id}; head -c 5000 /dev/urandom`);
    await refusedWith(/./);
    w.answerWith(`cat >/dev/null; echo ${id}`);
    await refusedWith(/./);
    w.answerWith(`cat >/dev/null; cd ${w.target}; echo ${id}; echo ${id} | git pack-objects -q --stdout`);
    await refusedWith(/./);
    w.answerWith(
      `cat >/dev/null; cd ${w.target}; git rev-parse HEAD:b.txt; git rev-parse HEAD:b.txt | git pack-objects -q --stdout`,
    );
    await refusedWith('not a commit');
  });

  test('more bytes or objects than allowed end it; within the limits it is taken', async () => {
    commit(w.target, { 'b.txt': 'b\n' });
    await refusedWith('larger than 50 bytes', { limits: { bytes: 50, objects: 100 } });
    await refusedWith('at most 1 are taken', { limits: { bytes: 100_000, objects: 1 } });
    await fetched({ limits: { bytes: 100_000, objects: 3 } });
  });

  test('names that differ by case only are refused, those of the base are not', async () => {
    commit(w.target, { README: 'a', readme: 'b' });
    await refusedWith('differ by case');
    const head = run(w.target, 'rev-parse', 'HEAD');
    run(w.repo, 'fetch', '-q', w.target, head);
    record = { ...record, tips: [...record.tips, head], head };
    commit(w.target, { other: 'c' });
    await fetched();
  });

  test('links, submodules and attributes are named, in one line each and without control characters', async () => {
    crafted([
      ['100644', '.gitattributes', '* filter=x'],
      ['120000', 'link\u202etxt', '/etc/\u001b[2Jpasswd'],
      ['160000', 'sub', ''],
    ]);
    const { notes } = await fetched();
    expect(notes).toHaveLength(3);
    expect(notes.join('')).toContain('a link to /etc/\\u{1b}[2Jpasswd');
    expect(notes.join('\n')).not.toMatch(/[\p{Cf}]/u);
  });

  test('names that git itself takes', () => {
    for (const name of ['a\nb', 'a\u001b[2J', 'x/.git /config', 'x/.Git./y', 'a//b', '.'])
      expect(() => checkName(name)).toThrow('refused');
    for (const name of ['.gitignore', 'a b', 'ü', '.github/x', 'git']) expect(() => checkName(name)).not.toThrow();
  });
});

describe("the host's repository", () => {
  let trap: string;
  const ran = () => existsSync(join(w.dir, 'ran'));

  beforeEach(() => {
    trap = join(w.dir, 'trap');
    writeFileSync(trap, `#!/bin/sh\ntouch ${join(w.dir, 'ran')}\nexit 0\n`);
    chmodSync(trap, 0o755);
  });

  function trapHooks(): void {
    mkdirSync(join(w.repo, '.git/hooks'), { recursive: true });
    for (const name of [
      'reference-transaction',
      'post-merge',
      'post-checkout',
      'post-update',
      'pre-auto-gc',
      'update',
    ]) {
      writeFileSync(join(w.repo, '.git/hooks', name), `#!/bin/sh\n${trap}\n`);
      chmodSync(join(w.repo, '.git/hooks', name), 0o755);
    }
  }

  test('runs none of its hooks, fsmonitor, filters or commands, when it is cloned and when work is fetched', async () => {
    trapHooks();
    const keys = [
      'core.fsmonitor',
      'core.sshCommand',
      'core.alternateRefsCommand',
      'core.pager',
      'pager.log',
      'diff.external',
      'filter.x.clean',
      'filter.x.smudge',
      'filter.x.process',
      'credential.helper',
      'core.askPass',
      'core.editor',
      'gpg.program',
      'uploadpack.packObjectsHook',
      'alias.bundle',
      'alias.index-pack',
    ];
    for (const key of keys) run(w.repo, 'config', key, key.startsWith('alias') ? `!${trap}` : trap);
    run(w.repo, 'config', `url.ext::${trap} .insteadOf`, '/');
    writeFileSync(join(w.repo, '.git/info/attributes'), '* filter=x diff=x\n');
    run(w.dir, 'clone', '-q', '--bare', w.target, 'alternate.git');
    writeFileSync(join(w.repo, '.git/objects/info/alternates'), `${join(w.dir, 'alternate.git/objects')}\n`);
    using second = world();
    await fillClone(second.guest, w.repo, { hide: ['.env'], parent: w.dir, target: second.target });
    commit(w.target, { 'b.txt': 'b\n' });
    await fetched();
    expect(ran()).toBe(false);
    expect(run(second.target, 'rev-parse', 'HEAD')).toBe(record.head);
  });

  test('the twin: with git as it comes, its hook runs', async () => {
    trapHooks();
    const id = commit(w.target, { 'b.txt': 'b\n' });
    run(w.dir, 'clone', '-q', '--bare', w.target, 'from.git');
    const delivery = {
      from: join(w.dir, 'from.git'),
      commonDir: join(w.repo, '.git'),
      commit: id,
      base: [],
      branch: 'sbx/shop',
      force: false,
    };
    await deliver(delivery);
    expect(ran()).toBe(false);
    run(w.repo, '-c', 'core.hooksPath=/dev/null', 'update-ref', '-d', 'refs/heads/sbx/shop');
    await deliver({ ...delivery, unsafe: true });
    expect(ran()).toBe(true);
  });

  test('the twin: with git as it comes, its fsmonitor runs', async () => {
    run(w.repo, 'config', 'core.fsmonitor', trap);
    await tryGit(['-C', w.repo, 'status']);
    expect(ran()).toBe(false);
    await git(['-C', w.repo, 'status'], { unsafe: true });
    expect(ran()).toBe(true);
  });

  test.each(['../main', 'sbx/../main', 'sbx/-x', 'heads/x', 'sbx/a..b', 'sbx/x.lock', 'sbx/x/y', ''])(
    'the branch %j is refused',
    async (branch) => {
      const delivery = {
        from: w.target,
        commonDir: join(w.repo, '.git'),
        commit: record.head,
        base: [],
        branch,
        force: true,
      };
      await expect(deliver(delivery)).rejects.toMatchObject({ why: expect.stringContaining('invalid branch') });
    },
  );

  test('that is a partial clone is refused, since its missing objects would be fetched', async () => {
    run(w.repo, 'config', 'remote.origin.promisor', 'true');
    await expect(
      fillClone(w.guest, w.repo, { hide: [], parent: w.dir, target: `${w.target}-2` }),
    ).resolves.toBeUndefined();
    using second = world();
    await expect(fillClone(second.guest, w.repo, { hide: [], parent: w.dir, target: second.target })).rejects.toThrow(
      'partial clone',
    );
  });
});
