/** A folder on the host with what an attack on a workspace is made against. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const GIT_ENV = {
  PATH: process.env['PATH'],
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.test',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.test',
};

export interface CaseFolder {
  path: string;
  /** Writes files, with their folders */
  write(files: Record<string, string>): void;
  /** Undefined: there is none */
  read(path: string): string | undefined;
  /** The host's git in it */
  git(...args: string[]): string;
}

/** Makes the folder. */
export function caseFolder(path: string): CaseFolder {
  mkdirSync(path, { recursive: true });
  return {
    path,
    write: (files) => {
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), content);
      }
    },
    read: (name) => {
      try {
        return readFileSync(join(path, name), 'utf8');
      } catch {
        return undefined;
      }
    },
    git: (...args) => execFileSync('git', ['-C', path, ...args], { env: GIT_ENV, encoding: 'utf8', stdio: 'pipe' }),
  };
}
