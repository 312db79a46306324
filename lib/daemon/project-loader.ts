/** Loads projects in a worker thread, one at a time, each with a deadline. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ProjectRequest } from '../api/project-contract.ts';
import { type ErrorJson, fromErrorJson, SbxError } from '../errors.ts';
import type { ProjectSpec } from '../spec/spec.ts';
import { within } from '../system/deadline.ts';

export interface LoadQuestion extends ProjectRequest {
  stateDir: string;
}

export type LoadAnswer = { project: ProjectSpec } | { error: ErrorJson };

export interface ProjectLoaderOptions {
  /** The bundle of `load-worker.ts` */
  worker: string;
  stateDir: string;
  deadlineMs?: number;
}

/** Reading the configuration of npm and APT takes a second on a busy host */
const DEADLINE_MS = 30_000;
const MEMORY_MB = 512;

export class ProjectLoader implements AsyncDisposable {
  readonly #options: ProjectLoaderOptions;
  #thread: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ProjectLoaderOptions) {
    this.#options = options;
    // Started early, so that the first request finds it warm.
    this.#start();
  }

  /** @throws SbxError: those of `loadProject`; `config-invalid` when the file takes too long or too much memory. */
  load(request: ProjectRequest): Promise<ProjectSpec> {
    const next = this.#last.then(() => this.#ask(request));
    this.#last = next.catch(() => {});
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(this.#options.worker, { resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB } });
    // A thread that ended is replaced by the next request.
    thread.once('exit', () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    thread.on('error', () => {});
    thread.unref();
    this.#thread = thread;
    return thread;
  }

  async #ask({ cwd, env }: ProjectRequest): Promise<ProjectSpec> {
    const { stateDir, deadlineMs = DEADLINE_MS } = this.#options;
    const thread = this.#thread ?? this.#start();
    using limit = within(deadlineMs);
    thread.postMessage({ cwd, env, stateDir } satisfies LoadQuestion);
    const [answer] = (await once(thread, 'message', { signal: limit }).catch(async (error: unknown) => {
      await thread.terminate();
      throw new SbxError('config-invalid', 'sandbox.toml could not be loaded', {
        why: limit.aborted ? `it took longer than ${deadlineMs / 1000} s` : String(error),
        hint: 'shorten it; `sbx validate` loads it outside the daemon',
      });
    })) as [LoadAnswer];
    if ('error' in answer) throw fromErrorJson(answer.error);
    return answer.project;
  }
}
