/** Short, stable names on disk for paths and names of any length. */
import { createHash } from 'node:crypto';

/** Stable short id of a sandbox: the project's real path and the sandbox's name. */
export function instanceId(projectDir: string, name: string): string {
  return createHash('sha256').update(`${projectDir}\0${name}`).digest('hex').slice(0, 12);
}

export function projectId(projectDir: string): string {
  return createHash('sha256').update(projectDir).digest('hex').slice(0, 16);
}
