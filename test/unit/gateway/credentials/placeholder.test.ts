import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coreOf, coresIn, makePlaceholder } from '../../../../lib/gateway/credentials/placeholder.ts';

const KEYS = {
  'sk-ant-api03-': `sk-ant-api03-${'Ab3_-'.repeat(19)}`,
  'sk-ant-oat01-': `sk-ant-oat01-${'Ab3_-'.repeat(19)}`,
  'sk-proj-': `sk-proj-${'Ab3_'.repeat(40)}`,
  'sk-': `sk-${'Ab3x'.repeat(12)}`,
  ghp_: `ghp_${'Ab3x'.repeat(9)}`,
  github_pat_: `github_pat_${'Ab3x_'.repeat(16)}`,
  AIza: `AIza${'Ab3x-'.repeat(7)}`,
  AKIA: `AKIA${'AB3X'.repeat(6)}`,
};

describe('a placeholder', () => {
  test.each(Object.entries(KEYS))('keeps the prefix %s and the length, and nothing else', (prefix, secret) => {
    const made = makePlaceholder(secret, randomBytes);
    expect(made).toHaveLength(secret.length);
    expect(made.startsWith(prefix)).toBe(true);
    expect(made.slice(prefix.length)).toMatch(/^[A-Za-z0-9]+$/);
    expect(made).not.toBe(makePlaceholder(secret, randomBytes));
  });

  test.each([
    ['hex', '0123456789abcdef0123456789abcdef', /^[0-9a-f]{32}$/],
    ['HEX', '0123456789ABCDEF0123456789ABCDEF', /^[0-9A-F]{32}$/],
    ['digits', '0123456789012345678901234567', /^\d{28}$/],
    ['capitals', 'ABCXYZ0123456789ABCXYZ0123456789', /^[A-Z0-9]{32}$/],
    ['a UUID', '123e4567-e89b-12d3-a456-426614174000', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/],
    ['a short one, longer than it', 'hunter2', /^[a-z0-9]{24}$/],
  ])('has the alphabet of the secret: %s', (_name, secret, pattern) => {
    expect(makePlaceholder(secret, randomBytes)).toMatch(pattern);
  });

  test('of a signed token keeps the claims, which programs read, and not the signature', () => {
    const claims = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(40)}.`;
    const signature = 'Zx9_'.repeat(16);
    const made = makePlaceholder(`${claims}${signature}`, randomBytes);
    expect(made.startsWith(claims)).toBe(true);
    expect(made).toHaveLength(claims.length + signature.length);
    expect(made.slice(claims.length)).not.toContain('Zx9_');
  });

  test('holds no part of the secret beyond a known kind of prefix', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 24, maxLength: 200 }), (secret) => {
        const made = makePlaceholder(secret, (bytes) => new Uint8Array(bytes));
        const kept = [...made].findIndex((char, index) => char !== secret[index]);
        return kept <= 20 && kept <= secret.length / 2;
      }),
    );
  });

  test('a passphrase and a UUID do not count as prefixes', () => {
    expect(makePlaceholder('correct-horse-battery-staple', randomBytes)).not.toContain('correct');
    expect(makePlaceholder('123e4567-e89b-12d3-a456-426614174000', randomBytes)).not.toContain('123e');
  });

  test('is found in any text, also without what stood before its mark', () => {
    for (const secret of [...Object.values(KEYS), 'hunter2', '0'.repeat(40), '123e4567-e89b-12d3-a456-426614174000']) {
      const made = makePlaceholder(secret, randomBytes);
      const core = coreOf(made) ?? '';
      expect(core).toHaveLength(20);
      expect(coresIn(`{"a":"${made}"}`)).toEqual([core]);
      expect(coresIn(`x${made.slice(made.indexOf(core))}`)).toEqual([core]);
    }
    expect(coresIn('sbxplace is a word')).toEqual([]);
  });
});
