import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { createNames } from '../../../../../lib/guest/agent/net/names.ts';
import { startRedirect } from '../../../../../lib/guest/agent/net/redirect.ts';

interface Seen {
  open: string;
  address: string;
  closed: string[];
  unknown: string;
  many: string[];
  container: string[];
  early: string;
  slow: string;
  givenUp: string;
  asked: string[];
}

async function runWorld(): Promise<Seen> {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-redirect-'));
  try {
    const outfile = join(dir, 'world.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'redirect-world.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      loader: { '.pl': 'text' },
      outfile,
    });
    const { stdout } = await promisify(execFile)('unshare', ['--net', process.execPath, outfile]);
    return JSON.parse(stdout) as Seen;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

// The kernel lets only root load the program that finds the socket.
describe.skipIf(process.getuid?.() !== 0)('a redirected connection', () => {
  test('is accepted once the gateway has opened it, and refused if the gateway does not; what no program waits for ends', async () => {
    const seen = await runWorld();
    expect(seen).toMatchObject({ open: 'open early hello 5432', address: 'open early hello 80' });
    expect(seen.closed).toEqual(['ECONNREFUSED', 'ECONNREFUSED']);
    expect(seen.unknown).toBe('ECONNREFUSED');
    // While the gateway dials, the program is neither connected nor refused.
    expect([seen.early, seen.slow]).toEqual(['waits', 'open early hello 5432']);
    expect(seen.many).toEqual(['open early hello 7']);
    // A container's, too; those to the guest itself are not redirected.
    const refused = 'ECONNREFUSED';
    expect(seen.container).toEqual(['early hello 5433', refused, 'early hello 80', refused, refused]);
    for (const own of ['172.17.0.1:80', '10.0.2.15:80']) expect(seen.asked).not.toContain(own);
    expect(seen.givenUp).toBe('ended');
    expect(seen.asked).not.toContain('198.19.255.1:80');
  });
});

test('a connection that is named together with the start of the redirect is answered', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-redirect-'));
  const answers = join(dir, 'answers');
  try {
    // In the place of perl; to the guest itself, which is refused without a gateway
    const script = `printf 'ok\\nsyn 127.0.0.1 80 4000\\n'; head -n 1 >'${answers}.new'; mv '${answers}.new' '${answers}'`;
    await startRedirect({ names: createNames(), gateway: { host: '127.0.0.1', port: 1 }, perl: ['sh', '-c', script] });
    await expect
      .poll(() => existsSync(answers) && readFileSync(answers, 'utf8'), { timeout: 20_000 })
      .toBe('refuse 127.0.0.1 80 4000\n');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
