/** `sbx start`: starts a stopped sandbox. */
import { changeState, type StateInput } from './change-state.ts';

export const start = (input: StateInput): Promise<number> =>
  changeState(input, { doing: 'starting', work: (client, { id }, options) => client.start(id, options) });
