/** Packages for a guest that runs: the steps, and how the answers of a hostile guest are taken. The guest is a test double. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SbxError } from '../../../../lib/errors.ts';
import type { GuestConnection } from '../../../../lib/guest/client/connection.ts';
import { installSteps } from '../../../../lib/image/bake/bake-script.ts';
import { installStep } from '../../../../lib/image/bake/install.ts';

const NONE = { apt: [], npm: [], pip: [], setup: [] };
const STEP = { title: 'apt-get install jq', argv: ['apt-get'], path: 'packages.apt' };

describe('the steps', () => {
  const titles = (...lists: Parameters<typeof installSteps>) => {
    const { packages, setup } = installSteps(...lists);
    return [...packages, ...setup].map(({ title }) => title);
  };

  test('of apt packages mend what an earlier try left half done, and end on the disk', () => {
    expect(titles(NONE, { ...NONE, apt: ['jq'] })).toEqual([
      'dpkg --configure -a',
      'apt-get update',
      'apt-get install jq',
      'apt-get clean',
      'write it to the disk',
    ]);
  });

  test('of a first pip package install pip; of a second one do not', () => {
    expect(titles(NONE, { ...NONE, pip: ['b'] })).toContain('apt-get install python3-pip python3-venv');
    expect(titles({ ...NONE, pip: ['a'] }, { ...NONE, pip: ['b'] })).toEqual(['pip install b', 'write it to the disk']);
  });

  test('of setup name the line by its place in the file', () => {
    const { setup } = installSteps({ ...NONE, setup: ['one'] }, { ...NONE, setup: ['two'] });
    expect(setup).toMatchObject([{ title: 'two', path: 'packages.setup[1]' }]);
  });
});

/** Signals that commands got */
const killed: string[] = [];

/** `code` undefined: it never answers. */
function guest(code: number | undefined, said: string | Buffer = '') {
  const exec = () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    let lose = (_: Error) => {};
    const exit = new Promise<{ code: number }>((resolve, reject) => {
      lose = reject;
      if (code === undefined) return;
      stdout.end();
      stderr.end(said);
      resolve({ code });
    });
    return {
      ...{ stdout, stderr, exit },
      kill: (signal: string) => void killed.push(signal),
      [Symbol.asyncDispose]: async () => {
        stdout.destroy();
        stderr.destroy();
        lose(new SbxError('guest-protocol', 'the stream was reset'));
      },
    };
  };
  return { exec } as unknown as GuestConnection;
}

function options(signal = new AbortController().signal) {
  const lines: string[] = [];
  return {
    lines,
    options: {
      name: 'shop',
      env: {},
      signal,
      onProgress: () => {},
      onLine: (line: string) => void lines.push(line),
      denied: [],
    },
  };
}

const failureOf = async (said: string | Buffer) =>
  (await installStep(guest(100, said), STEP, options().options).catch((error: unknown) => error)) as SbxError;

test('a failure names the step, its last lines and the ways out', async () => {
  const failed = await failureOf('Reading package lists\nE: Unable to locate package jq\n');
  expect(failed).toMatchObject({
    code: 'install-failed',
    message: 'shop stays as it was: installing in it failed at packages.apt: apt-get install jq',
    why: expect.stringContaining('exit code 100; its last lines:\n  Reading package lists\n  E: Unable to locate'),
    hint: expect.stringContaining('sbx apply --rebuild shop'),
  });
});

test('a denied host is named as the reason', async () => {
  expect((await failureOf('E: Failed to fetch http://deb.test  403  Forbidden by sbx\n')).hint).toContain('preset:apt');
});

test('so is one that an earlier step went on without, as apt-get update does', async () => {
  const { options: own } = options();
  const said = 'Invalid response from proxy: HTTP/1.1 403 sbx: deb.test:443 is denied. Run on the host';
  await installStep(guest(0, `${said}\n`), STEP, own);
  const failed = (await installStep(guest(100, 'E: Unable to locate package jq\n'), STEP, own).catch(
    (error: unknown) => error,
  )) as SbxError;
  expect([failed.why, failed.hint]).toEqual([
    expect.stringContaining(`last lines:\n  ${said}\n  E: Unable`),
    expect.stringContaining('allow the host'),
  ]);
});

test('what a hostile guest says is bounded and plain', async () => {
  const bidi = String.fromCodePoint(0x202e);
  const said = `${'x'.repeat(1_000_000)}\n\u001b[2J${bidi}hidden\rover\n${'y'.repeat(10_000_000)}`;
  const { options: own, lines } = options();
  await installStep(guest(0, said), STEP, own);
  expect(lines.every((line) => /^[ -~]{0,400}$/.test(line))).toBe(true);
  expect(lines).toHaveLength(4);
  expect((await failureOf(`${'line\n'.repeat(100)}end\n`)).why?.split('\n')).toHaveLength(16);
});

test('a client gets no more lines than it may have to keep, and the last ones are in the error', async () => {
  const { options: own, lines } = options();
  const failed = installStep(guest(1, `${'line\n'.repeat(30_000)}\n\nend\n`), STEP, own);
  await expect(failed).rejects.toMatchObject({ why: expect.stringMatching(/end$/) });
  expect(lines).toHaveLength(20_000);
});

test.each(['before', 'while'])('an abort %s it runs ends it, also when the guest does not answer', async (when) => {
  const abort = new AbortController();
  const reason = new SbxError('cancelled', 'the work was cancelled');
  if (when === 'before') abort.abort(reason);
  const installing = installStep(guest(undefined), STEP, options(abort.signal).options);
  abort.abort(reason);
  await expect(installing).rejects.toBe(reason);
  expect(killed.splice(0)).toEqual(when === 'while' ? ['SIGTERM'] : []);
});
