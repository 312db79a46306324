/** stop, start, reset, rm. */

import type { DaemonClient, StreamOptions } from '../../../api/client.ts';
import type { SandboxStatus } from '../../../api/contract.ts';
import { SbxError } from '../../../errors.ts';
import { command, maybeName, names, type Run } from '../../command/command.ts';
import { follow } from '../../command/follow.ts';
import { daemonOf, ownSandboxes, resolveSandbox } from '../../command/project.ts';

const verb = (
  brief: string,
  doing: string,
  work: (client: DaemonClient, id: string, options: StreamOptions) => Promise<SandboxStatus>,
  question?: string,
) =>
  command<{ yes: boolean }, [string?]>({
    brief,
    parameters: {
      flags: { yes: { kind: 'boolean', brief: 'Ask nothing', default: false } },
      aliases: { y: 'yes' },
      positional: maybeName(),
    },
    async run(input) {
      const client = await daemonOf(input.context);
      const sandbox = await resolveSandbox(client, input.cwd, input.args[0]);
      if (question !== undefined) await confirmed(input, `${question} ${sandbox.name}?`);
      const after = await follow(input.view, `${doing} ${sandbox.name}`, (signal, onEvent) =>
        work(client, sandbox.id, { signal, onEvent }),
      );
      input.view.result(after, `${after.name}: ${after.state}`);
      return 0;
    },
  });

export const stop = verb('Stops a sandbox; its disk stays', 'stopping', (client, id, options) =>
  client.stop(id, options),
);
export const start = verb('Starts a stopped sandbox', 'starting', (client, id, options) => client.start(id, options));
export const reset = verb(
  'Takes a sandbox back to its warm base',
  'resetting',
  (client, id, options) => client.reset(id, options),
  'Lose everything on the disk of',
);

export const rm = command<{ yes: boolean; all: boolean }, string[]>({
  brief: 'Removes sandboxes and their disks',
  parameters: {
    flags: {
      yes: { kind: 'boolean', brief: 'Ask nothing', default: false },
      all: { kind: 'boolean', brief: 'All sandboxes of this project', default: false },
    },
    aliases: { y: 'yes' },
    positional: names('Sandboxes'),
  },
  async run(input) {
    const { context, cwd, view, flags, args } = input;
    const client = await daemonOf(context);
    const targets = await targetsOf(client, cwd, [...args], flags.all);
    await confirmed(
      input,
      `Remove ${targets.map(({ name }) => name).join(', ')} with ${targets.length === 1 ? 'its disk' : 'their disks'}?`,
    );
    for (const target of targets)
      await follow(view, `removing ${target.name}`, (signal, onEvent) => client.remove(target.id, { signal, onEvent }));
    view.result(
      { removed: targets.map(({ name, project }) => ({ name, project })) },
      `removed ${targets.map(({ name }) => name).join(', ')}`,
    );
    return 0;
  },
});

async function targetsOf(client: DaemonClient, cwd: string, wanted: string[], all: boolean): Promise<SandboxStatus[]> {
  if (!all)
    return Promise.all((wanted.length === 0 ? [undefined] : wanted).map((name) => resolveSandbox(client, cwd, name)));
  const found = await ownSandboxes(client, cwd);
  if (found.length === 0)
    throw new SbxError('not-found', 'there is no sandbox of this folder', {
      why: 'nothing was applied here',
      hint: '`sbx ls` shows all there are, with their projects',
    });
  return found;
}

async function confirmed(input: Run<{ yes: boolean }, readonly unknown[]>, question: string): Promise<void> {
  if (input.flags.yes) return;
  const answer = await input.view.confirm(question);
  if (answer === true) return;
  if (answer === undefined)
    throw new SbxError('needs-confirmation', 'this needs a yes', {
      why: 'nobody can be asked here',
      hint: 'add --yes',
    });
  throw new SbxError('cancelled', 'nothing was done');
}
