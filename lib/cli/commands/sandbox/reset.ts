/** `sbx reset`: returns a sandbox to its warm snapshot. */
import type { Run } from '../../command/command.ts';
import { changeState } from './change-state.ts';

export const reset = (input: Run<{ yes: boolean; discard: boolean }, [string?]>): Promise<number> =>
  changeState(input, {
    doing: 'resetting',
    question: 'Delete everything on the disk of',
    work: (client, { id, ...confirmation }, options) =>
      client.reset(id, { discard: input.flags.discard, ...confirmation }, options),
  });
