/** Puts a spec's network policy into force. */
import type { StepHandler } from './step-deps.ts';

export const network: StepHandler<'network'> = (deps, { spec }, { id }) => deps.egress.open(id, spec);
