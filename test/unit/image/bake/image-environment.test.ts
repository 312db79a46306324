import { expect, test } from 'vitest';
import { withImageEnvironment } from '../../../../lib/image/bake/image-environment.ts';

test('the sandbox wins, but for LANG; in PATH the image’s folders come first, absolute ones only', () => {
  const own = { PATH: '/usr/bin:/opt/sbx/bin', LANG: 'C.UTF-8', https_proxy: 'http://proxy' };
  const image = {
    PATH: '/tool/bin::relative:/usr/bin',
    LANG: 'de_DE.UTF-8',
    https_proxy: 'http://elsewhere',
    TOOL: '1',
  };
  expect(withImageEnvironment(own, image)).toEqual({
    PATH: '/tool/bin:/usr/bin:/opt/sbx/bin',
    LANG: 'de_DE.UTF-8',
    https_proxy: 'http://proxy',
    TOOL: '1',
  });
  expect(withImageEnvironment(own, undefined)).toBe(own);
  expect(withImageEnvironment(own, {})).toEqual(own);
});
