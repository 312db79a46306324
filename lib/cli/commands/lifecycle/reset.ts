/** `sbx reset`: returns a sandbox to its warm snapshot. */
import { changeState, type StateInput } from './change-state.ts';

export const reset = (input: StateInput): Promise<number> =>
  changeState(input, {
    doing: 'resetting',
    work: (client, { id, ...consent }, options) => client.reset(id, consent, options),
  });
