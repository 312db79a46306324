import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { callerOf } from '../../../../lib/cli/run/caller.ts';

test('the zone is that of TZ, else of the host', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sbx-zone-'));
  const link = join(dir, 'localtime');
  symlinkSync('../usr/share/zoneinfo/Asia/Tokyo', link);
  expect(callerOf({}, link)).toEqual({ zone: 'Asia/Tokyo' });
  expect(callerOf({ TZ: ':Europe/Berlin' }, link)).toEqual({ zone: 'Europe/Berlin' });
  expect(callerOf({}, join(dir, 'none'))).toEqual({});
  rmSync(dir, { recursive: true });
});

test('LC_ALL wins over LANG', () => {
  const env = { LANG: 'en_GB.UTF-8', LC_ALL: '', COLORTERM: 'truecolor', TZ: 'UTC' };
  expect(callerOf(env)).toEqual({ locale: 'en_GB.UTF-8', colours: 'truecolor', zone: 'UTC' });
  expect(callerOf({ ...env, LC_ALL: 'C' })).toMatchObject({ locale: 'C' });
});
