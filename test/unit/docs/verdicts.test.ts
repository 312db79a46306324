/** docs/network.md explains each reason of the audit log. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('each reason is explained', () => {
  const types = read('lib/gateway/policy/types.ts');
  const [union = ''] = types.slice(types.indexOf('type AuditReason =')).split(/;$/m);
  const reasons = [...union.matchAll(/^ {2}\| '([\w-]+)'/gm)].map(([, reason]) => reason);
  expect(reasons.length).toBeGreaterThan(15);
  expect(reasons.filter((reason) => !read('docs/network.md').includes(`\`${reason}\``))).toEqual([]);
});
