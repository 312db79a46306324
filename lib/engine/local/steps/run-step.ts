/** Dispatches a step to its handler. */
import type { Step, Steps } from '../../../plan/types.ts';
import type { StepContext } from '../../engine.ts';
import { build } from './build.ts';
import { create } from './create.ts';
import { destroy } from './destroy.ts';
import { grow } from './grow.ts';
import { install } from './install.ts';
import { network } from './network.ts';
import { record } from './record.ts';
import { resume } from './resume.ts';
import { start } from './start.ts';
import type { StepDeps, StepHandler } from './step-deps.ts';
import { stop } from './stop.ts';
import { suspend } from './suspend.ts';

const HANDLERS: { [A in keyof Steps]: StepHandler<A> } = {
  build,
  create,
  start,
  stop,
  suspend,
  resume,
  grow,
  install,
  network,
  record,
  destroy,
};

export function runStep<A extends keyof Steps>(deps: StepDeps, step: Step<A>, context: StepContext): Promise<void> {
  return HANDLERS[step.action](deps, step, context);
}
