/** The private layer of a sandbox is its work: it survives the server's end at any moment, and leads nowhere else. */
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { workspacePaths } from '../../../../lib/paths.ts';
import type { WorkspaceServers } from '../../../../lib/workspace/client/servers.ts';
import { Host, isRunning, kill, rules, signal, until } from './host.ts';

let host: Host;

beforeEach(() => {
  host = new Host();
});
afterEach(() => host[Symbol.asyncDispose]());

/** A served guest whose layer holds a file. */
async function served(client: WorkspaceServers, id = 'a'): Promise<{ layer: string }> {
  const { link } = await client.attach(host.guest(id), [host.folder('project', { rules: rules({}) })]);
  const { layers } = workspacePaths(host.home, host.keys()[0] ?? '');
  const layer = join(layers, link.split('/').at(-1) ?? '');
  writeFileSync(join(layer, 'ws', 'mine'), 'of an hour');
  return { layer };
}
const kept = (id = 'a') => readFileSync(join(host.guest(id).privateLayer, 'ws', 'mine'), 'utf8');

describe('a private layer', () => {
  test('is kept when its guest is detached, and taken up again', async () => {
    const client = host.client();
    await served(client);
    await client.detach(host.guest('a'));
    expect(kept()).toBe('of an hour');
    const { link } = await client.attach(host.guest('a'), [host.folder('project', { rules: rules({}) })]);
    const { layers } = workspacePaths(host.home, host.keys()[0] ?? '');
    expect(readFileSync(join(layers, link.split('/').at(-1) ?? '', 'ws', 'mine'), 'utf8')).toBe('of an hour');
  });

  test('is kept when its server is killed while the last guest is detached', async () => {
    const client = host.client();
    await served(client);
    const pid = host.pidOf() ?? 0;
    signal(pid, 'SIGSTOP');
    for (const child of host.processesBelow(pid)) signal(child, 'SIGSTOP');
    const detached = client.detach(host.guest('a'));
    kill(pid);
    await detached;
    expect(kept()).toBe('of an hour');
  });

  test('is kept by a sweep that finds no record of its guest', async () => {
    const client = host.client();
    const { layer } = await served(client);
    await client[Symbol.asyncDispose]();
    const pid = host.pidOf() ?? 0;
    rmSync(host.guest('a').recordFile);
    await host.client().sweep([host.guest('a').recordFile]);
    await until(() => !isRunning(pid));
    expect(readFileSync(join(layer, 'ws', 'mine'), 'utf8')).toBe('of an hour');
  });

  test.each(['all layers', 'its layer'])(
    'in whose place the server put a link, for %s, takes nothing from behind it',
    async (which) => {
      const client = host.client();
      const { layer } = await served(client);
      const place = which === 'its layer' ? layer : dirname(layer);
      const prey = join(host.dir, 'prey');
      mkdirSync(join(prey, ...(which === 'its layer' ? [] : [layer.split('/').at(-1) ?? '']), 'ws'), {
        recursive: true,
      });
      renameSync(place, `${place}-before`);
      symlinkSync(prey, place);
      const attached = client.attach(host.guest('a'), [host.folder('project', { rules: rules({}) })]);
      await expect(attached).rejects.toMatchObject({ code: 'workspace' });
      await client.detach(host.guest('a'));
      // Neither moved to the sandbox, nor a link to it
      expect(() => kept()).toThrow();
      const [moved] = which === 'its layer' ? ['ws'] : [layer.split('/').at(-1) ?? ''];
      renameSync(join(prey, moved ?? ''), join(prey, 'is there'));
    },
  );
});
