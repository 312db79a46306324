/** A real project is installed, built, tested and committed inside for ten minutes, while the host edits, watches and commits in the same folder. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { must, type Project, project, sbx } from '../e2e/harness.ts';

const MINUTES = 10 * Number(process.env['SBX_SOAK'] ?? '1');
const PACKAGES_MIN = 200;

const TOML = `version = 1
agent = "shell"
[resources]
memory = "1536MiB"
cpus = 2
[packages]
npm = ["is-number@7.0.0"]
[network]
allow = ["preset:npm"]
`;

/** With these, 200 packages and more are installed. */
const PACKAGE = {
  name: 'soak',
  version: '1.0.0',
  private: true,
  scripts: { build: 'webpack --config webpack.config.cjs', test: 'mocha --exit test', lint: 'eslint src' },
  devDependencies: { eslint: '8.57.1', mocha: '10.8.2', webpack: '5.97.1', 'webpack-cli': '5.1.4' },
};
const FILES = {
  'package.json': `${JSON.stringify(PACKAGE, null, 2)}\n`,
  '.gitignore': 'node_modules\ndist\n',
  '.eslintrc.json': '{ "root": true, "env": { "node": true, "es2022": true }, "extends": "eslint:recommended" }\n',
  'webpack.config.cjs':
    "module.exports = { mode: 'development', target: 'node', entry: './src/index.js', output: { filename: 'main.js', library: { type: 'commonjs2' } } };\n",
  'src/index.js': "exports.inside = require('./inside.js');\nexports.host = require('./host.js');\n",
  'src/inside.js': 'module.exports = 0;\n',
  'src/host.js': 'module.exports = 0;\n',
  'test/index.js':
    "const assert = require('node:assert');\nit('is built', () => assert.equal(typeof require('../dist/main.js').inside, 'number'));\n",
};

/** Two sides have one index: who finds its lock waits, as people do. */
const COMMIT = `commit() { i=0; until git add "$1" && git commit -qm "$2" -- "$1"; do i=$((i + 1)); [ $i -lt 40 ] || return 1; sleep 0.5; done 2>/tmp/commit-error; }`;

const round = (number: number, isFirst: boolean) => `set -e
${COMMIT}
${isFirst || number % 5 === 0 ? 'npm ci --no-audit --no-fund >/tmp/install 2>&1 || { cat /tmp/install; exit 1; }' : ''}
echo "module.exports = ${number + 1};" > src/inside.js
for script in build test lint; do npm run -s $script >/tmp/said 2>&1 || { echo "$script:"; cat /tmp/said; exit 1; }; done
commit src/inside.js "inside ${number}" || { cat /tmp/commit-error; exit 1; }
git status --porcelain >/dev/null
`;

test('a project of 200 packages lives on both sides at once', async () => {
  await using p = project('soak-project', TOML);
  const git = (...args: string[]) => gitOf(p.dir, args);
  makeProject(p, git);
  await must(['apply', '--yes'], { cwd: p.dir });
  const until = Date.now() + MINUTES * 60_000;
  const host = hostBeside({ dir: p.dir, git, until });
  let rounds = 0;
  for (; rounds < 2 || Date.now() < until; rounds += 1) {
    const input = round(rounds, rounds === 0);
    const { code, stdout, stderr } = await sbx(['exec', '-i', '--', 'sh', '-s'], { cwd: p.dir, input });
    expect(code, `round ${rounds}: ${stdout}${stderr}`).toBe(0);
  }
  const edits = await host;
  expect(readdirSync(join(p.dir, 'node_modules')).length).toBeGreaterThanOrEqual(PACKAGES_MIN);
  process.stderr.write(`soak: project: ${JSON.stringify({ minutes: MINUTES, rounds, ...edits })}\n`);
  expect(edits.watched).toBeGreaterThan(0);
  await bothAgree(p.dir, git);
  const subjects = git('log', '--format=%s').split('\n');
  expect(subjects.filter((subject) => subject.startsWith('inside'))).toHaveLength(rounds);
  expect(subjects.filter((subject) => subject.startsWith('host'))).toHaveLength(edits.commits);
});

type Git = (...args: string[]) => string;

function gitOf(cwd: string, args: string[]): string {
  const identity = ['-c', 'user.name=host', '-c', 'user.email=host@test'];
  return execFileSync('git', [...identity, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function makeProject(p: Project, git: Git): void {
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(join(p.dir, name, '..'), { recursive: true });
    writeFileSync(join(p.dir, name), text);
  }
  execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], { cwd: p.dir, stdio: 'pipe' });
  git('init', '-q', '-b', 'main');
  git('config', 'user.name', 'host');
  git('config', 'user.email', 'host@test');
  git('add', '.');
  git('commit', '-qm', 'first');
}

/** Edits, watches and commits until the time has come; any error but a taken lock of git is one. */
async function hostBeside({ dir, git, until }: { dir: string; git: Git; until: number }) {
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const edits = { edits: 0, commits: 0, watched: 0 };
  const watcher = watch(join(dir, 'src'), () => {
    edits.watched += 1;
  });
  try {
    while (Date.now() < until || edits.commits === 0) {
      writeFileSync(join(dir, 'src/host.js'), `module.exports = ${edits.edits};\n`);
      edits.edits += 1;
      readFileSync(join(dir, 'src/inside.js'));
      git('--no-optional-locks', 'status', '--porcelain');
      if (edits.edits % 3 === 0 && (await committed(git, `host ${edits.edits}`, pause))) edits.commits += 1;
      await pause(1500);
    }
    await committed(git, 'last', pause);
  } finally {
    watcher.close();
  }
  return edits;
}

async function committed(git: Git, subject: string, pause: (ms: number) => Promise<unknown>): Promise<boolean> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      git('add', 'src/host.js');
      git('commit', '-qm', subject, '--', 'src/host.js');
      return true;
    } catch (error) {
      const said = `${(error as { stdout?: string }).stdout}${(error as { stderr?: string }).stderr}`;
      if (/nothing (added )?to commit|no changes added/.test(said)) return false;
      if (attempt === 40 || !/\.lock|cannot lock ref/.test(said)) throw new Error(`${subject}: ${said}`);
      await pause(500);
    }
  }
}

async function bothAgree(cwd: string, git: Git): Promise<void> {
  const inside = async (script: string) => (await must(['exec', '--', 'sh', '-c', script], { cwd })).stdout;
  expect(git('status', '--porcelain')).toBe('');
  expect(await inside('git status --porcelain')).toBe('');
  expect(await inside('git rev-parse HEAD')).toBe(git('rev-parse', 'HEAD'));
  expect(await inside('git ls-files -s')).toBe(git('ls-files', '-s'));
  git('fsck', '--strict', '--no-progress');
  await inside('git fsck --strict --no-progress');
}
