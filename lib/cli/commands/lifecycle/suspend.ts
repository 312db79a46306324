/** `sbx suspend`: saves the memory of sandboxes and ends their VMs; the next start continues them. */
import type { Run } from '../../command/command.ts';
import { changeState, type StateInput } from './change-state.ts';

export async function suspend({ args, ...input }: Run<{ yes: boolean }, string[]>): Promise<number> {
  for (const name of args.length === 0 ? [undefined] : args)
    await suspendOne({ ...input, args: name === undefined ? [] : [name] });
  return 0;
}

export const suspendOne = (input: StateInput): Promise<number> =>
  changeState(input, {
    doing: 'suspending',
    work: (client, { id, ...consent }, options) => client.suspend(id, consent, options),
  });
