/** What a repository deep in the project names is safe from the first request on: the server may not have come to it yet. */
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { deferred } from '../../../../lib/guest/protocol/deferred.ts';
import { RootFacts } from '../../../../lib/workspace/facts/root-facts.ts';
import { compileWorkspacePolicy } from '../../../../lib/workspace/policy/compile.ts';
import { foldOf } from '../../../../lib/workspace/policy/match/fold.ts';
import { projectPolicy } from '../../../../lib/workspace/server/project-policy.ts';
import { openVolume, type Root } from '../../../../lib/workspace/server/tables/volume.ts';
import { Rig, ROOT } from '../server/rig.ts';
import { Attacker, type Served } from './guest.ts';

const DEEP = 'vendor/a/b/c/library';
const HOOK = 'tools/hooks/pre-commit';

let dir: string;
const at = (path: string) => join(dir, path);

beforeEach(() => {
  // The walk goes on when a test says so.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-first-walk-')));
  put(`${DEEP}/.git/HEAD`, 'ref: refs/heads/main\n');
  put(`${DEEP}/.git/config`, `[core]\n\thooksPath = ${at('tools/hooks')}\n`);
  for (const folder of ['objects', 'refs']) mkdirSync(at(`${DEEP}/.git/${folder}`));
  put('tools/hooks/pre-push', 'of the host');
  put('shared/tasks.json', 'of the host');
  symlinkSync('../../../../../shared', at(`${DEEP}/.vscode`));
  put('plain', 'of the host');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true, force: true });
});

function put(path: string, content: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), content);
}

interface Walked extends Served {
  /** Puts the same rules in force again, as another attach does: the walk begins anew */
  attachAgain(): void;
}

/** @param isHeld false: the control is off */
async function serve({ isHeld }: { isHeld: boolean }): Promise<Walked> {
  const volume = openVolume([{ name: '', path: dir }]);
  const rules = { hide: [], readonly: [], private: [], unprotect: [], configFiles: [] };
  const policy = compileWorkspacePolicy({ ...rules, fold: foldOf({}) });
  let time = 0;
  const read = () =>
    new RootFacts({
      fd: volume.roots[0]?.fd ?? -1,
      hostPath: dir,
      policy,
      named: [],
      // Each look at the clock is the end of the walk's time: one folder at a time.
      now: () => (time += 1_000),
    });
  let facts = read();
  const hooks = projectPolicy(volume, () => ({ policy, facts }));
  const names = { ...hooks.names, ...(isHeld ? {} : { walked: () => undefined }) };
  const rig = await Rig.mount(dir, { ...hooks, names });
  return {
    rig,
    facts,
    policy,
    root: volume.roots[0] as Root,
    attachAgain: () => {
      const before = facts;
      facts = read();
      before[Symbol.dispose]();
    },
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]();
      facts[Symbol.dispose]();
      volume[Symbol.dispose]();
    },
  };
}

const ATTACKS: [string, (guest: Attacker) => Promise<void>, () => boolean][] = [
  ['a new hook', (guest) => guest.write(HOOK, 'evil', 0o755), () => existsSync(at(HOOK))],
  [
    'a hook that is written over',
    (guest) => guest.write('tools/hooks/pre-push', 'evil'),
    () => readFileSync(at('tools/hooks/pre-push'), 'utf8') !== 'of the host',
  ],
  ['a file renamed to a hook', (guest) => guest.rename('plain', HOOK), () => existsSync(at(HOOK))],
  [
    'a file behind a link of an editor',
    (guest) => guest.write('shared/tasks.json', 'evil'),
    () => readFileSync(at('shared/tasks.json'), 'utf8') !== 'of the host',
  ],
];

test.each(ATTACKS)('%s is refused before the walk has come to what names it', async (_, attack, isDone) => {
  await using served = await serve({ isHeld: true });
  const done = attack(new Attacker(served));
  // Reads are answered meanwhile.
  expect(await new Attacker(served).read('plain')).toBe('of the host');
  expect(isDone()).toBe(false);
  await vi.advanceTimersByTimeAsync(20_000);
  await done;
  expect(isDone()).toBe(false);
});

test.each(ATTACKS)('%s is refused when it was held and other rules were attached', async (_, attack, isDone) => {
  await using served = await serve({ isHeld: true });
  const done = attack(new Attacker(served));
  await new Attacker(served).read('plain');
  served.attachAgain();
  await new Attacker(served).read('plain');
  await vi.advanceTimersByTimeAsync(20_000);
  await done;
  expect(isDone()).toBe(false);
});

test.each(ATTACKS)('%s is done if nothing waits for the walk', async (_, attack, isDone) => {
  await using served = await serve({ isHeld: false });
  await attack(new Attacker(served));
  expect(isDone()).toBe(true);
});

test('what nothing names is written when the walk has ended, and without a wait from then on', async () => {
  await using served = await serve({ isHeld: true });
  const guest = new Attacker(served);
  const written = guest.write('plain', 'of the guest');
  await vi.advanceTimersByTimeAsync(20_000);
  await written;
  expect(readFileSync(at('plain'), 'utf8')).toBe('of the guest');
  await guest.write('plain', 'again');
  expect(readFileSync(at('plain'), 'utf8')).toBe('again');
});

test('a session that ends does not wait for the walk', async () => {
  const served = await serve({ isHeld: true });
  const written = new Attacker(served).write('plain', 'of the guest').catch(() => {});
  await served[Symbol.asyncDispose]();
  await Promise.race([written, new Promise((resolve) => setImmediate(resolve))]);
  expect(readFileSync(at('plain'), 'utf8')).toBe('of the host');
});

test('what waited for the walk waits for the other names of the file, too', async () => {
  linkSync(at('plain'), at('other'));
  const [walk, links] = [held(), held()];
  const names = { walked: walk.ask, pending: links.ask, linked: () => {} };
  await using rig = await Rig.mount(dir, { names });
  const { node } = await rig.lookup(ROOT, 'plain');
  let isOpen = false;
  const opened = rig.open(node, 1).then(() => (isOpen = true));
  for (const { end } of [walk, links]) {
    for (let turn = 0; turn < 10; turn += 1) await rig.lookup(ROOT, 'other');
    expect(isOpen).toBe(false);
    end();
  }
  expect(await opened).toBe(true);
});

/** Something to wait for until its end. */
function held(): { ask: () => Promise<void> | undefined; end: () => void } {
  let isOver = false;
  const { promise, resolve } = deferred<void>();
  const end = () => {
    isOver = true;
    resolve();
  };
  return { ask: () => (isOver ? undefined : promise), end };
}
