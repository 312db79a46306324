/** A change on one side is read on the other, and fires its watchers: inotify, chokidar, a real Vite. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type WatchEventType,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inside, must, type Project, project, SMALL } from '../harness.ts';
import { InsideProcess } from '../inside-process.ts';

const PACKAGES = ['vite@7', 'chokidar@4', 'webpack@5', 'webpack-cli@6', 'husky@9'];

const TOML = `version = 1
agent = "shell"
${SMALL.replace('512MiB', '1GiB')}
[workspace]
hide = ["hidden"]
`;

/** Until a busy machine gets there */
const WAIT = { timeout: 60_000, interval: 10 };

const WATCH = `const { watch } = require('node:fs');
watch('watched', (type, name) => console.log('fs.watch ' + type + ' ' + name));
console.log('ready');`;

const CHOKIDAR = `import { watch } from 'chokidar';
watch('watched', { ignoreInitial: true }).on('ready', () => console.log('ready'))
  .on('all', (type, path) => console.log('chokidar ' + type + ' ' + path));`;

/** Prints each message that a browser's page would get. */
const VITE = `import { createServer } from 'vite';
const server = await createServer({ root: 'app', server: { port: 5173, host: '127.0.0.1' }, optimizeDeps: { noDiscovery: true } });
await server.listen();
await server.transformRequest('/main.js');
const socket = new WebSocket('ws://127.0.0.1:5173/?token=' + server.config.webSocketToken, 'vite-hmr');
socket.onmessage = ({ data }) => console.log('vite ' + data);
`;

let p: Project;
const host = (name: string) => join(p.dir, name);

beforeAll(async () => {
  p = project('coherence', TOML);
  mkdirSync(host('watched'));
  mkdirSync(host('app'));
  writeFileSync(host('package.json'), '{"private":true,"type":"module"}');
  writeFileSync(host('app/index.html'), '<script type="module" src="/main.js"></script>');
  writeFileSync(host('app/main.js'), 'export const version = 1;\n');
  writeFileSync(host('watch.cjs'), WATCH);
  writeFileSync(host('chokidar.mjs'), CHOKIDAR);
  writeFileSync(host('vite.mjs'), VITE);
  mkdirSync(host('packed'));
  writeFileSync(host('packed/index.js'), 'module.exports = 1;\n');
  execFileSync('git', ['init', '-q', '-b', 'main'], { cwd: p.dir });
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', ...PACKAGES], { cwd: p.dir });
  await must(['apply', '--yes'], { cwd: p.dir });
});
afterAll(async () => {
  await p?.[Symbol.asyncDispose]();
});

/** The four kinds of edits, each with what a watcher is to say of it */
async function edits(said: (text: string) => Promise<void>, words: [string, string, string, string]): Promise<void> {
  const steps: [string, () => void, string][] = [
    ['created', () => writeFileSync(host('watched/file'), 'one'), words[0]],
    ['changed', () => writeFileSync(host('watched/file'), 'two'), words[1]],
    ['renamed', () => renameSync(host('watched/file'), host('watched/moved')), words[2]],
    ['removed', () => rmSync(host('watched/moved')), words[3]],
  ];
  for (const [kind, make, word] of steps) {
    const from = performance.now();
    make();
    await said(word);
    process.stdout.write(`  ${kind}: ${word}: ${Math.round(performance.now() - from)} ms\n`);
  }
}

describe('a change on the host', () => {
  test('is read inside: created, changed, renamed, removed', async () => {
    await using shell = new InsideProcess(p.dir, ['sh', '-c', 'while read -r line; do eval "$line"; echo end; done']);
    let count = 0;
    const run = async (line: string): Promise<string> => {
      const before = shell.output.length;
      shell.write(`${line}\n`);
      count += 1;
      await expect.poll(() => shell.output.split('end\n').length - 1, WAIT).toBe(count);
      return shell.output
        .slice(before)
        .replace(/end\n$/, '')
        .trim();
    };
    const read = (name: string) => run(`cat watched/${name} 2>/dev/null || echo none`);
    expect(await read('read')).toBe('none');
    const steps: [() => void, string, string][] = [
      [() => writeFileSync(host('watched/read'), 'one'), 'read', 'one'],
      [() => writeFileSync(host('watched/read'), 'two!'), 'read', 'two!'],
      [() => renameSync(host('watched/read'), host('watched/read-2')), 'read', 'none'],
      [() => {}, 'read-2', 'two!'],
      [() => rmSync(host('watched/read-2')), 'read-2', 'none'],
    ];
    for (const [make, name, text] of steps) {
      // Cached, if the server lets it.
      await read(name);
      const from = performance.now();
      make();
      await expect.poll(() => read(name), WAIT).toBe(text);
      process.stdout.write(`  read inside: ${text}: ${Math.round(performance.now() - from)} ms\n`);
    }
  });

  test("fires node's fs.watch inside, and not for a hidden name", async () => {
    await using watcher = new InsideProcess(p.dir, ['node', 'watch.cjs']);
    await watcher.said('ready');
    await edits(
      (text) => watcher.said(text),
      ['fs.watch rename file', 'fs.watch change file', 'fs.watch rename moved', 'fs.watch rename moved'],
    );
    writeFileSync(host('watched/hidden'), 'x');
    writeFileSync(host('watched/last'), 'x');
    await watcher.said('rename last');
    expect(watcher.output).not.toContain('hidden');
    for (const name of ['hidden', 'last']) rmSync(host(`watched/${name}`));
  });

  test('fires chokidar inside', async () => {
    await using watcher = new InsideProcess(p.dir, ['node', 'chokidar.mjs']);
    await watcher.said('ready');
    await edits(
      (text) => watcher.said(text),
      [
        'chokidar add watched/file',
        'chokidar change watched/file',
        'chokidar add watched/moved',
        'chokidar unlink watched/moved',
      ],
    );
  });

  test("makes a Vite development server reload its clients' pages", async () => {
    await using vite = new InsideProcess(p.dir, ['node', 'vite.mjs']);
    await vite.said('"connected"');
    const from = performance.now();
    writeFileSync(host('app/main.js'), 'export const version = 2;\n');
    await vite.said('full-reload');
    process.stdout.write(`  reload: ${Math.round(performance.now() - from)} ms\n`);
  });

  test('makes `webpack --watch` build again', async () => {
    const entry = ['--entry', './packed/index.js', '--output-path', '/tmp/packed', '--mode', 'development'];
    await using webpack = new InsideProcess(p.dir, [
      'node',
      'node_modules/webpack/bin/webpack.js',
      '--watch',
      ...entry,
    ]);
    await webpack.said('compiled successfully');
    writeFileSync(host('packed/index.js'), 'module.exports = "changed on the host";\n');
    await webpack.said('compiled successfully');
    expect(await inside(p.dir, 'grep -c "changed on the host" /tmp/packed/main.js')).not.toBe('0');
  });
});

test('a change inside fires fs.watch on the host', async () => {
  const seen: [WatchEventType, string | null][] = [];
  using _watcher = new (class {
    readonly #watcher = watch(host('watched'), (type, name) => seen.push([type, name]));
    [Symbol.dispose]() {
      this.#watcher.close();
    }
  })();
  await inside(
    p.dir,
    'echo 1 > watched/inside && echo 2 >> watched/inside && mv watched/inside watched/x && rm watched/x',
  );
  for (const event of [
    ['rename', 'inside'],
    ['change', 'inside'],
    ['rename', 'x'],
  ])
    await expect.poll(() => seen, WAIT).toContainEqual(event);
});

describe('the process that repeats changes inside', () => {
  /** Its number: of the relay's processes, the one that reads orders from a pipe */
  const FIND = `for p in /proc/[0-9]*; do
  grep -q relay.pl $p/cmdline 2>/dev/null && case $(readlink $p/fd/0) in pipe:*) echo \${p#/proc/};; esac
done; true`;
  const asRoot = async (script: string) =>
    (await must(['exec', '-u', 'root', '--', 'sh', '-c', script], { cwd: p.dir })).stdout.trim();
  /** Orders that the server never gave */
  const FORGED = String.raw`perl -e 'for (["U", "watched/keep"], ["M", "watched/keep"], ["F", "watched/forged"],
  ["N", "watched/keep", "watched/taken"], ["D", "watched/forged-folder"])
  { my $m = join "\0", 99, @$_; print pack("Vx12", 16 + length $m), $m }'`;

  test('changes nothing on the host by forged orders', async () => {
    writeFileSync(host('watched/keep'), 'kept');
    await using watcher = new InsideProcess(p.dir, ['node', 'watch.cjs']);
    await watcher.said('ready');
    await asRoot(`${FORGED} > /proc/$(${FIND})/fd/0`);
    // It takes one order after the other: after this one the forged ones are done.
    writeFileSync(host('watched/after'), '');
    await watcher.said('rename after');
    expect(readFileSync(host('watched/keep'), 'utf8')).toBe('kept');
    expect(readdirSync(host('watched')).sort()).toEqual(['after', 'keep']);
  });

  test('and what another process does by the same orders reaches it', async () => {
    await asRoot(`${FORGED} | perl /opt/sbx/agent/events.pl /run/sbx/workspace`);
    expect(readdirSync(host('watched')).sort()).toEqual(['after', 'forged', 'forged-folder']);
  });

  test('is there again after a program inside has ended it', async () => {
    await using watcher = new InsideProcess(p.dir, ['node', 'watch.cjs']);
    await watcher.said('ready');
    const before = await asRoot(FIND);
    await asRoot(`kill -9 ${before}`);
    // The relay finds out when it hands over the next order.
    await expect
      .poll(
        () => {
          writeFileSync(host(`watched/again-${Date.now()}`), '');
          return watcher.output;
        },
        { ...WAIT, interval: 500 },
      )
      .toContain('rename again');
    expect(await asRoot(FIND)).not.toBe(before);
  });
});

test("a `prepare` of husky works inside, its hook runs there, and the host's git has neither", async () => {
  const script = `set -e
npx husky >/dev/null
mkdir -p .husky; printf 'echo ran >> /tmp/husky-ran\\n' > .husky/pre-commit
git config user.name a; git config user.email a@b
echo 1 > tracked; git add tracked; git commit -qm hooked; cat /tmp/husky-ran; git config core.hooksPath`;
  expect(await inside(p.dir, script)).toBe('ran\n.husky/_');
  const config = readFileSync(host('.git/config'), 'utf8');
  expect(config).not.toContain('hooksPath');
  expect(existsSync(host('.husky'))).toBe(false);
  expect(execFileSync('git', ['log', '-1', '--format=%s'], { cwd: p.dir, encoding: 'utf8' }).trim()).toBe('hooked');
});
