/** `sbx restart`: boots a sandbox again on its own disk. */
import { changeState, type StateInput } from './change-state.ts';

export const restart = (input: StateInput): Promise<number> =>
  changeState(input, {
    doing: 'restarting',
    work: (client, { id, ...consent }, options) => client.restart(id, consent, options),
  });
