import { describe, expect, test } from 'vitest';
import { createNames, isName, isSynthetic } from '../../../../../lib/guest/agent/net/names.ts';

describe('the table of names', () => {
  test('maps each name to one address and back', () => {
    const names = createNames();
    const [a, b] = [names.addressOf('a.test'), names.addressOf('b.test')];
    expect(a).not.toBe(b);
    expect([names.addressOf('a.test'), names.nameOf(a), names.nameOf(b)]).toEqual([a, 'a.test', 'b.test']);
    expect([isSynthetic(a), isSynthetic('198.20.0.1'), isSynthetic('10.0.0.1')]).toEqual([true, false, false]);
  });

  test('forgets the least recently used name, and does not reuse its address at once', () => {
    const names = createNames(2, 4);
    const first = names.addressOf('1.test');
    const second = names.addressOf('2.test');
    names.nameOf(first);
    const third = names.addressOf('3.test');
    expect([names.nameOf(first), names.nameOf(second), names.nameOf(third)]).toEqual(['1.test', undefined, '3.test']);
    expect(names.addressOf('4.test')).not.toBe(second);
  });

  test('holds no more names than its limit', () => {
    const names = createNames();
    const addresses = new Set(Array.from({ length: 70_000 }, (_, index) => names.addressOf(`n${index}.test`)));
    expect(addresses.size).toBe(70_000);
    expect([...addresses].every(isSynthetic)).toBe(true);
    expect(names.nameOf([...addresses][0] ?? '')).toBeUndefined();
    expect(names.nameOf([...addresses].at(-1) ?? '')).toBe('n69999.test');
  });

  test.each(['198.18.0.0', '10.0.0.1', '198.19.255.255', 'x'])('%s has no name', (address) =>
    expect(createNames().nameOf(address)).toBeUndefined(),
  );
});

test.each([
  ['a.test', true],
  ['a', true],
  ['_srv.a.test', true],
  ['', false],
  ['a..b', false],
  ['a.test.', false],
  ['a b', false],
  [`${'a'.repeat(64)}.test`, false],
  ['a:443', false],
  ['a/b', false],
])('%j is a name: %s', (text, expected) => expect(isName(text)).toBe(expected));
