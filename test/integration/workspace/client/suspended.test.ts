/** What a guest has open is kept beside its disk while it is suspended: through another server, and past what a server in the hands of a guest put there. */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { workspacePaths } from '../../../../lib/paths.ts';
import type { Guest, WorkspaceServers } from '../../../../lib/workspace/client/servers.ts';
import { Host, isRunning, kill } from './host.ts';

let host: Host;
let client: WorkspaceServers;
let guest: Guest;
beforeEach(() => {
  host = new Host();
  client = host.client();
  guest = { ...host.guest('a'), stateFile: join(host.dir, 'workspace-state.json') };
});
afterEach(() => host[Symbol.asyncDispose]());

/** Where its server keeps what the guest has open */
async function served(): Promise<string> {
  const { link } = await client.attach(guest, [host.folder('project')]);
  return join(workspacePaths(host.home, host.keys()[0] ?? '').shared, `${link.split('/').at(-1)}.json`);
}
const kept = () => (existsSync(guest.stateFile ?? '') ? readFileSync(guest.stateFile ?? '', 'utf8') : undefined);

describe('what a guest has open', () => {
  test('is moved beside its disk, and to the server that serves it next', async () => {
    writeFileSync(await served(), 'open files');
    await client.suspend(guest);
    expect(kept()).toBe('open files');
    await client.detach(guest);
    expect(kept()).toBe('open files');
    expect(readFileSync(await served(), 'utf8')).toBe('open files');
    expect(kept()).toBeUndefined();
  });

  test('is kept when the server has ended before the guest continued, and not taken from one that ends while it runs', async () => {
    writeFileSync(await served(), 'open files');
    await client[Symbol.asyncDispose]();
    const pid = host.pidOf() ?? 0;
    const all = [pid, ...host.processesBelow(pid)];
    for (const one of all) kill(one);
    // Its own process ends after that of its jail.
    await vi.waitUntil(() => !all.some(isRunning), { timeout: 30_000 });
    client = host.client();
    await expect(client.suspend(guest)).rejects.toThrow();
    await client.suspend(guest, { isWaiting: true });
    expect(kept()).toBe('open files');
  });

  test('is none where the server put a link or a folder, and nothing behind a link is touched', async () => {
    const prey = join(host.dir, 'prey');
    writeFileSync(prey, 'of the host');
    symlinkSync(prey, await served());
    await client.suspend(guest);
    expect([kept(), readFileSync(prey, 'utf8')]).toEqual([undefined, 'of the host']);
    await client.detach(guest);
    mkdirSync(await served());
    await client.suspend(guest);
    expect(kept()).toBeUndefined();
  });
});
