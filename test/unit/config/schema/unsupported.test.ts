import { describe, expect, test } from 'vitest';
import { load } from '../project.ts';

describe('fields that are not implemented', () => {
  test.each([['image.base', '[image]\nbase = "oci:registry.test/a:1"', 2, 8]])(
    '%s is listed with its place',
    async (path, text, line, column) => {
      const { unsupported } = await load(text);
      expect(unsupported).toEqual([{ path, source: { file: expect.any(String), line, column } }]);
    },
  );

  test('a field with its default value is supported', async () => {
    const { unsupported } = await load(
      '[docker]\nenabled = false\n[workspace]\nmode = "mount"\n[network]\nmode = "enforce"\nhttp = []\n[lifecycle]\nidle = "0"\npool = 0\n[mcp.servers]',
    );
    expect(unsupported).toEqual([]);
  });

  test('a field that several sandboxes share is listed once', async () => {
    expect(
      (await load('[image]\nbase = "oci:registry.test/a:1"\n[sandboxes.a]\ncount = 3\n[sandboxes.b]')).unsupported,
    ).toHaveLength(1);
  });
});
