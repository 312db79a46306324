import { expect, test } from 'vitest';
import { diffSpecs } from '../../../lib/plan/diff.ts';
import { wideningHash, widensAtBirth } from '../../../lib/plan/widening.ts';
import type { ServiceSpec } from '../../../lib/spec/spec.ts';
import { FILE, spec } from './spec.ts';

const place = (line: number) => ({ file: FILE, line, column: 3 });
const database = (change: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name: 'db',
  port: 5432,
  target: { host: '127.0.0.1', port: 5432 },
  source: place(4),
  ...change,
});
const hashOf = (...services: ServiceSpec[]) =>
  wideningHash({ name: 'p', dir: '/project', files: [], sandboxes: [spec({ services })] });

test('a new service, or one that leads elsewhere, widens and is live; one that goes does not', () => {
  const [none, one] = [spec(), spec({ services: [database()], sources: { 'services[0]': place(4) } })];
  const other = spec({ services: [database({ target: { path: '/run/db.sock' } })] });
  expect(diffSpecs(none, one)).toMatchObject([{ path: 'services', effect: 'live', widens: true, source: place(4) }]);
  expect(diffSpecs(one, other)).toMatchObject([{ path: 'services', widens: true }]);
  expect(diffSpecs(one, none)).toMatchObject([{ path: 'services', widens: false }]);
  expect(diffSpecs(none, none)).toEqual([]);
  expect(diffSpecs(none, { ...none, services: [] })).toEqual([]);
  const { target } = database();
  const entry = { name: 'db', port: 5432, target };
  expect(diffSpecs(none, one)).toMatchObject([{ from: [], to: [entry] }]);
  expect(diffSpecs(one, none)).toMatchObject([{ from: [entry], to: [] }]);
});

test('it is part of what the user approves; without one an earlier approval stays valid', () => {
  expect(widensAtBirth(spec({ services: [database()] })).map(({ path }) => path)).toContain('services');
  expect(new Set([hashOf(), hashOf(database()), hashOf(database({ port: 1 }))]).size).toBe(3);
  expect(hashOf(database())).toBe(hashOf(database({ source: place(9) })));
});
