/** Builders as processes of their own, and a store to build in. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

let bundle = '';

/** To be called once in a test file. */
export function useBuilders(): void {
  let dir = '';
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sbx-builder-'));
    bundle = join(dir, 'builder.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'builder.ts')],
      outfile: bundle,
      bundle: true,
      target: 'node20.19',
      platform: 'node',
      format: 'esm',
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
}

export function makeStoreDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-store-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export interface Builder {
  child: ChildProcess;
  lines: string[];
  /** Resolves when a line with that beginning has come */
  said: (start: string) => Promise<void>;
  ended: Promise<number | null>;
  kill: () => Promise<void>;
}

export function builderArgs(store: string, key: string, bytes: number): string[] {
  return [process.execPath, bundle, store, key, String(bytes)];
}

export function startBuilder([command = '', ...args]: string[]): Builder {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  const waiting = new Set<() => void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    for (const look of waiting) look();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  return {
    child,
    lines,
    ended,
    kill,
    said: (start) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (lines.some((line) => line.startsWith(start))) resolve();
        };
        waiting.add(look);
        void ended.then(() => reject(new Error(`ended without "${start}": ${lines.join(' / ')}`)));
        look();
      }),
  };
}
