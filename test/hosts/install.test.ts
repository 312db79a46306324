/** Installs the package in clean Debian systems, as root, with sudo and without, and takes the first steps of a new user. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type CleanRoot, createCleanRoot } from './clean-root.ts';

const FIRST_APPLY = `
mkdir first && cd first &&
printf 'version = 1\\nagent = "shell"\\n[resources]\\nmemory = "512MiB"\\ncpus = 1\\n' > sandbox.toml &&
sbx apply --json --yes --accept-widening && sbx ls --json && sbx exec -- uname &&
sbx rm --yes first && test -z "$(sbx ls -q)" && echo no sandbox left
code=$?
sbx daemon stop --yes > /dev/null
exit $code
`;
const project = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let archive: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-archive-'));
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], { cwd: project });
  archive = join(dir, readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each(['bookworm', 'trixie'])('a clean Debian %s', (suite) => {
  let host: CleanRoot;
  beforeAll(async () => {
    host = await createCleanRoot(suite);
    host.put(archive, 'srv/sbx.tgz');
  });
  afterAll(() => host?.[Symbol.dispose]());

  const json = ({ stdout }: Answer) => JSON.parse(stdout) as Record<string, unknown>;
  const missing = (answer: Answer) =>
    (json(answer)['checks'] as { name: string; status: string; packages?: string[] }[]).flatMap(
      ({ packages = [] }) => packages,
    );

  test('root installs it for all: the command, the manual, modules that load', () => {
    const installed = host.run('root', 'npm install --global --prefer-offline --cache /var/cache/npm /srv/sbx.tgz');
    expect(installed).toMatchObject({ code: 0 });
    expect(host.run('root', 'sbx --version && ls /usr/local/share/man/man1/sbx.1')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n/),
    });
    const load = "for (const name of ['koffi', '@napi-rs/keyring', '@lydell/node-pty']) require(name)";
    expect(host.run('ada', `cd /usr/local/lib/node_modules/sbx && node -e "${load}"`)).toMatchObject({ code: 0 });
  });

  test.each(['root', 'ada', 'sue'] as const)('%s: doctor names what is missing, init and validate work', (user) => {
    const doctor = host.run(user, 'sbx doctor --json');
    expect(doctor).toMatchObject({ code: 1, stderr: '' });
    expect(missing(doctor)).toEqual(
      expect.arrayContaining(['qemu-system-x86', 'qemu-utils', 'bubblewrap', 'mmdebstrap', 'uidmap', 'git']),
    );
    const steps = 'mkdir shop && cd shop && sbx init && sbx validate';
    expect(host.run(user, steps)).toMatchObject({ code: 0, stdout: expect.stringContaining('is valid: shop') });
  });

  test.each(['root', 'sue'] as const)('%s: doctor --fix asks APT for every missing package, and all exist', (user) => {
    const wanted = missing(host.run(user, 'sbx doctor --json'));
    const { stderr } = host.run(user, 'sbx doctor --fix --json');
    expect([...stderr.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name)).toEqual(expect.arrayContaining(wanted));
  });

  test('without sudo rights, doctor --fix says what to install', () => {
    const { code, stdout } = host.run('ada', 'sbx doctor --fix --json < /dev/null');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'tool-missing', hint: expect.stringMatching(/^install them manually: .*qemu-system-x86/) },
    });
  });

  test.each(['root', 'ada'] as const)('%s: the first apply on such a host points to doctor', (user) => {
    const { code, stdout } = host.run(
      user,
      'cd shop && sbx apply --json --yes --accept-widening; echo $? > code; sbx daemon stop > /dev/null; exit $(cat code)',
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'tool-missing', hint: expect.stringContaining('sbx doctor --fix') },
    });
  });

  test('once doctor --fix has installed what is missing, the first apply of an ordinary user brings up a sandbox', () => {
    host.allowInstallation();
    expect(host.run('sue', 'sbx doctor --fix --json')).toMatchObject({ code: 0 });
    // In one script: what it leaves behind ends with it.
    const first = host.run('ada', FIRST_APPLY);
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/"state":"running"[\s\S]*^Linux$[\s\S]*^no sandbox left$/m),
    });
  });

  test('an ordinary user installs it for herself, and removes it', () => {
    const own = 'export PATH=$HOME/.local/bin:$PATH';
    const install = 'npm install --global --prefix $HOME/.local /srv/sbx.tgz';
    expect(host.run('ada', `${install} && ${own} && command -v sbx && sbx --version`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('/home/ada/.local/bin/sbx\n'),
    });
    const removed = host.run('ada', 'npm uninstall --global --prefix $HOME/.local sbx && find .local -name "sbx*"');
    expect(removed).toMatchObject({ code: 0, stdout: expect.not.stringContaining('.local/bin') });
  });
});
