/** The package on a host with a working KVM, which QEMU emulates, as an ordinary user. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KvmHost, startKvmHost } from './kvm-host.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let archive: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sbx-archive-'));
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', dir], { cwd: project });
  archive = join(dir, readdirSync(dir).find((name) => name.endsWith('.tgz')) ?? '');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('a Debian 12 host with KVM', () => {
  let host: KvmHost;
  beforeAll(async () => {
    host = await startKvmHost('bookworm', archive);
  });
  afterAll(async () => host?.[Symbol.asyncDispose]());

  test('doctor: a guest ran on KVM, and nothing is missing', async () => {
    const { code, stdout } = await host.run('ada', 'sbx doctor --json');
    expect(code).toBe(0);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: object[] };
    expect(ok).toBe(true);
    expect(checks).toContainEqual(expect.objectContaining({ status: 'ok', message: 'a probe guest ran on /dev/kvm' }));
  });
});
