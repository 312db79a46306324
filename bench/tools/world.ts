/** A state folder and a project of the bench's own, warm before anything is measured. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface World extends AsyncDisposable {
  /** Project folder; its only sandbox has 1 GiB */
  dir: string;
  home: string;
  sbx(args: string[]): Promise<string>;
}

const toml = (agent: string) =>
  `version = 1\nname = "bench-${agent}"\nagent = "${agent}"\n[resources]\nmemory = "1GiB"\ncpus = 2\n`;

/** `more`: what its file says besides. */
export async function prepare(agent = 'shell', more = ''): Promise<World> {
  const home = process.env['SBX_BENCH_HOME'] ?? join(homedir(), '.cache', 'sbx-test');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sbx-bench-')));
  writeFileSync(join(dir, 'sandbox.toml'), toml(agent) + more);
  const sbx = (args: string[]) => call(resolve('bin/sbx'), args, { cwd: dir, env: { ...process.env, SBX_HOME: home } });
  await sbx(['apply', '--yes', '--accept-widening']);
  return {
    dir,
    home,
    sbx,
    async [Symbol.asyncDispose]() {
      await sbx(['rm', '--all', '--yes', '--discard']).catch(() => {});
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function call(
  command: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(Buffer.concat(out).toString())
        : reject(new Error(`${command} ${args.join(' ')} → ${code}\n${Buffer.concat(err)}`)),
    );
  });
}
