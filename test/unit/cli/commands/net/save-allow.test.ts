import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ApproveRequest } from '../../../../../lib/api/project-contract.ts';
import { type SaveRequest, saveAllow } from '../../../../../lib/cli/commands/net/save-allow.ts';
import { homeOf } from '../../../../../lib/paths.ts';
import { makeProject } from '../../../config/project.ts';

const TEXT = '# ours\nversion = 1\n\n[network] # who may be reached\nallow = [\n  "a.test", # why\n]\n';

function requestOf(cwd: string, change: Partial<SaveRequest>, asked: ApproveRequest[] = []): SaveRequest {
  return {
    context: { home: homeOf({ SBX_HOME: `${cwd}-home` }) },
    client: {
      approve: async (body) => {
        asked.push(body);
        return { approved: true };
      },
    },
    cwd,
    entries: ['new.test'],
    sandbox: undefined,
    approve: true,
    ...change,
  };
}

async function saving(text: string, change: Partial<SaveRequest> = {}) {
  const cwd = await makeProject({ 'sandbox.toml': text });
  const file = join(cwd, 'sandbox.toml');
  const asked: ApproveRequest[] = [];
  const saved = await saveAllow(requestOf(cwd, change, asked));
  return { saved, asked, text: readFileSync(file, 'utf8'), mode: statSync(file).mode & 0o777 };
}

describe('saving', () => {
  test('keeps comments and shape, and asks for the approval of just that', async () => {
    const { saved, asked, text, mode } = await saving(TEXT);
    expect(text).toBe(TEXT.replace('# why\n', '# why\n  "new.test",\n'));
    expect(saved).toMatchObject({ entries: ['new.test'], approved: true });
    const [{ before, after } = { before: undefined, after: undefined }] = asked;
    const patterns = (project: typeof before) => project?.sandboxes[0]?.network.allow.map(({ pattern }) => pattern);
    expect([patterns(before), patterns(after)]).toEqual([['a.test'], ['a.test', 'new.test']]);
    expect(mode).toBe(0o644 & ~process.umask());
  });

  test('without approval the next apply asks', async () => {
    const { saved, asked } = await saving(TEXT, { approve: false });
    expect([saved.approved, asked]).toEqual([false, []]);
  });

  test('into the table of one sandbox', async () => {
    const { text } = await saving('[sandboxes.dev]\n[sandboxes.review]\ncount = 2\n', { sandbox: 'review-2' });
    expect(text).toBe(
      '[sandboxes.dev]\n[sandboxes.review]\ncount = 2\n\n[sandboxes.review.network]\nallow = ["new.test"]\n',
    );
  });

  test('a sandbox that the file does not name is an error, and the file is as it was', async () => {
    await expect(saving(TEXT, { sandbox: 'other' })).rejects.toMatchObject({ code: 'not-found' });
  });

  test('what cannot be extended is refused with the entry to write, and the file is as it was', async () => {
    const text = '[sandboxes.review.network]\r\nallow = ["a.test"]\ndeny = []\r\n';
    const cwd = await makeProject({ 'sandbox.toml': text });
    await expect(saveAllow(requestOf(cwd, { sandbox: 'review' }))).rejects.toMatchObject({
      code: 'config-invalid',
      hint: expect.stringContaining('"new.test"'),
    });
    expect(readFileSync(join(cwd, 'sandbox.toml'), 'utf8')).toBe(text);
  });

  test('an entry that the host cannot mean leaves the file as it was', async () => {
    const cwd = await makeProject({ 'sandbox.toml': TEXT });
    await expect(saveAllow(requestOf(cwd, { entries: ['not a host'] }))).rejects.toMatchObject({
      code: 'config-invalid',
    });
    expect(readFileSync(join(cwd, 'sandbox.toml'), 'utf8')).toBe(TEXT);
  });
});
