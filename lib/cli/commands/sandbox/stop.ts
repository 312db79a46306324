/** `sbx stop`: stops a sandbox and keeps its disk. */
import { changeState, type StateInput } from './change-state.ts';

export const stop = (input: StateInput): Promise<number> =>
  changeState(input, {
    doing: 'stopping',
    work: (client, { id, ...consent }, options) => client.stop(id, consent, options),
  });
