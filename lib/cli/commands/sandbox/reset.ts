/** `sbx reset`: returns a sandbox to its warm snapshot. */
import { changeState, type StateInput } from './change-state.ts';

export const reset = (input: StateInput): Promise<number> =>
  changeState(input, {
    doing: 'resetting',
    question: 'Delete everything on the disk of',
    work: (client, id, options) => client.reset(id, options),
  });
