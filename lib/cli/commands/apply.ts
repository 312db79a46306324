/** validate, plan, apply: from the file to the machines. */
import { relative } from 'node:path';
import type { ApplyResult, DaemonEvent, PlanResponse } from '../../daemon/api.ts';
import { SbxError } from '../../errors.ts';
import { explainChange } from '../../plan/explain.ts';
import { command, names } from '../command.ts';
import { daemonOf, readProject } from '../project.ts';
import type { Progress, View } from '../view/types.ts';

export const validate = command({
  brief: 'Checks sandbox.toml',
  parameters: {},
  async run({ context, cwd, view }) {
    const project = await readProject(context, cwd);
    const later = project.unsupported.map(
      ({ path, source }) => `  ${path} (line ${source.line}) is valid but not supported yet`,
    );
    view.result(
      { valid: true, project },
      [
        `${relative(cwd, project.files[0] ?? '') || 'sandbox.toml'} is valid: ${project.sandboxes.map(({ name }) => name).join(', ')}`,
        ...later,
      ].join('\n'),
    );
    return 0;
  },
});

export const plan = command<{ exitCode: boolean }, string[]>({
  brief: 'Shows what apply would do, and why',
  parameters: {
    flags: { exitCode: { kind: 'boolean', brief: 'Exit with 3 when there are changes', default: false } },
    positional: names('Sandboxes; default: all of the project'),
  },
  async run({ context, cwd, view, flags, args }) {
    const project = await readProject(context, cwd);
    const client = await daemonOf(context);
    const found = await client.plan({ project, ...(args.length === 0 ? {} : { only: [...args] }) });
    view.result(found, describePlan(found, cwd));
    return flags.exitCode && found.steps.length > 0 ? 3 : 0;
  },
});

export const apply = command<{ yes: boolean; acceptWidening: boolean }, string[]>({
  brief: 'Makes the sandboxes what sandbox.toml says',
  parameters: {
    flags: {
      yes: { kind: 'boolean', brief: 'Ask nothing; changes that widen are still refused', default: false },
      acceptWidening: { kind: 'boolean', brief: 'Accept changes that give a sandbox more', default: false },
    },
    aliases: { y: 'yes' },
    positional: names('Sandboxes; default: all of the project'),
  },
  async run({ context, cwd, view, flags, args }) {
    const project = await readProject(context, cwd);
    const client = await daemonOf(context);
    const request = { project, ...(args.length === 0 ? {} : { only: [...args] }) };
    const found = await client.plan(request);
    const accepted = found.approved || flags.acceptWidening || (!flags.yes && (await askWidening(found, view, cwd)));
    // The daemon refuses by itself: what is not accepted here is told there.
    const result = await follow(view, `applying ${project.name}`, (signal, onEvent) =>
      client.apply({ ...request, ...(accepted ? { acceptWidening: found.wideningHash } : {}) }, { signal, onEvent }),
    );
    view.result(result, describeResult(result));
    return 0;
  },
});

function describePlan(found: PlanResponse, cwd: string): string {
  if (found.steps.length === 0) return 'nothing to do';
  const lines = found.changes.map((change) => explainChange(change, (file) => relative(cwd, file)));
  const steps = `steps: ${found.steps.map(({ sandbox, action }) => `${action} ${sandbox}`).join(', ')}`;
  return [
    ...lines,
    steps,
    ...(found.approved
      ? []
      : ['some changes WIDEN what a sandbox may do: `sbx apply` will ask, or takes --accept-widening']),
  ].join('\n');
}

async function askWidening(found: PlanResponse, view: View, cwd: string): Promise<boolean> {
  if (view.json) return false;
  const lines = found.widening.map((change) => `  ${explainChange(change, (file) => relative(cwd, file))}`);
  return (await view.confirm(`sandbox.toml asks for more than was approved:\n${lines.join('\n')}\nAllow it?`)) === true;
}

function describeResult(result: ApplyResult): string {
  if (result.steps.length === 0) return 'nothing to do';
  return result.sandboxes.map((one) => `${one.name}: ${one.state}`).join('\n');
}

/** Runs a long request with progress; Ctrl-C cancels it at a safe point. */
export async function follow<T>(
  view: View,
  title: string,
  work: (signal: AbortSignal, onEvent: (event: DaemonEvent) => void) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const onInterrupt = () => abort.abort(new SbxError('cancelled', 'cancelled'));
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  const progress = view.progress(title);
  try {
    const result = await work(abort.signal, (event) => show(event, progress));
    progress.done();
    return result;
  } catch (error) {
    progress.fail();
    throw error;
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

function show(event: DaemonEvent, progress: Progress): void {
  if (event.type === 'progress') progress.update(`${event.sandbox}: ${event.message}`);
  else if (event.type === 'output') progress.update(`${event.sandbox}: ${event.line.slice(0, 100)}`);
  else if (event.type === 'step' && event.status === 'started') progress.update(`${event.sandbox}: ${event.action}`);
  else if (event.type === 'step' && event.status === 'done' && event.durationMs !== undefined)
    progress.note(`${event.sandbox}: ${event.action} done in ${(event.durationMs / 1000).toFixed(2)} s`);
}
