/** `sbx stop`: stops a sandbox and keeps its disk; with --suspend its memory, too. */

import { changeState, type StateInput } from './change-state.ts';
import { suspendOne } from './suspend.ts';

export const stop = (input: StateInput): Promise<number> =>
  input.flags.suspend
    ? suspendOne(input)
    : changeState(input, {
        doing: 'stopping',
        work: (client, { id, ...consent }, options) => client.stop(id, consent, options),
      });
