/** The thread that loads projects: a file that takes long to parse blocks this thread, not the daemon with its proxies. */
import { parentPort } from 'node:worker_threads';
import { loadProject } from '../config/load/load-project.ts';
import { hostFacts } from '../config/resolve/host-facts.ts';
import { toErrorJson } from '../errors.ts';
import type { LoadAnswer, LoadQuestion } from './project-loader.ts';

const load = ({ cwd, env, stateDir }: LoadQuestion): Promise<LoadAnswer> =>
  loadProject({ cwd, host: hostFacts(stateDir, env) }).then(
    (project) => ({ project }),
    (error: unknown) => ({ error: toErrorJson(error) }),
  );

parentPort?.on('message', async (question: LoadQuestion) => parentPort?.postMessage(await load(question)));
