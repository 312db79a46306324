import { afterEach, expect, it, vi } from 'vitest';

const { platform } = process;
afterEach(() => {
  Object.defineProperty(process, 'platform', { value: platform });
  vi.resetModules();
});

it('can be imported on another platform, where its first call fails', async () => {
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  const { openVolume } = await import('../../../../lib/workspace/server/tables/volume.ts');
  await import('../../../../lib/workspace/server/session.ts');
  expect(() => openVolume([{ name: '', path: '/' }])).toThrow('ENOSYS');
});
