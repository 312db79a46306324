/** Repeats a request once the templates that it misses are fetched. */
import { SbxError } from '../../errors.ts';
import { inOneLine } from '../view/printable.ts';
import type { View } from '../view/types.ts';
import type { SbxContext } from './context.ts';
import { follow } from './follow.ts';
import { lockTemplates } from './project.ts';

interface Asking {
  context: SbxContext;
  cwd: string;
  view: View;
  /** What is not in sandbox.lock is added to it; else only what it pins is fetched */
  pin: boolean;
}

/** With progress. `update`: also what is pinned is asked for again. */
export function fetchTemplates({ context, cwd, view, pin, update }: Asking & { update: boolean }) {
  return follow(view, 'fetching templates', (signal, emit) =>
    lockTemplates(context, cwd, {
      update,
      pin,
      signal,
      onFetch: (text) => emit({ type: 'progress', sandbox: 'templates', message: `fetching ${text}` }),
    }),
  );
}

/** @throws SbxError as `request`, and as `fetchGit` */
export async function withTemplates<T>({ context, cwd, view, pin }: Asking, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!(error instanceof SbxError && error.code === 'template-missing')) throw error;
  }
  const { pinned, isWritten } = await fetchTemplates({ context, cwd, view, pin, update: false });
  for (const { reference, before, after } of isWritten && !view.json ? pinned : [])
    if (before === undefined) process.stderr.write(`${inOneLine(`sandbox.lock: ${reference} is ${after.commit}`)}\n`);
  return request();
}
