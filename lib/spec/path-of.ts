/** Formats paths of values as in TOML. Pure. */

/** `env`, `A`, 0 → `env.A[0]`; a key that needs quotes has them. */
export function pathOf(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`;
    const word = String(key);
    const segment = /^[A-Za-z0-9_-]+$/.test(word) ? word : JSON.stringify(word);
    return path === '' ? segment : `${path}.${segment}`;
  }, '');
}
