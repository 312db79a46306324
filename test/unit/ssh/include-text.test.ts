import { describe, expect, test } from 'vitest';
import { withInclude, withoutInclude } from '../../../lib/ssh/include-text.ts';

const LINE = 'Include "/s/instances/*/ssh/config"';
const added = (text: string) => withInclude(text, LINE) ?? text;

describe('the line of sbx in an ssh configuration', () => {
  test.each(['', 'Host *\n  User me\n', 'Host *', '# caf\xe9\r\nHost x\r\n', '\n\n'])('is before %j', (text) => {
    expect(added(text).split('\n')[1]).toBe(LINE);
    expect(added(text).endsWith(text)).toBe(true);
  });

  test('is added once, and taken out without a trace', () => {
    const text = 'Host *\n  User me\n';
    expect(withInclude(added(text), LINE)).toBeUndefined();
    expect(withoutInclude(added(text), LINE)).toBe(text);
    expect(withoutInclude(text, LINE)).toBeUndefined();
  });

  test('moves to the beginning where it counts for one host only', () => {
    const text = `Host x\n  ${LINE}\n  User me\n`;
    expect(added(text)).toMatch(/^# .*\nInclude .*\nHost x\n {2}User me\n$/);
    expect(added(`match=all\n${LINE}\n`).match(/Include/g)).toHaveLength(1);
  });

  test('moves before what ssh would take first', () => {
    const text = `# mine\n\nForwardAgent yes\n${LINE}\n`;
    expect(added(text)).toMatch(/^# .*\nInclude .*\n# mine\n\nForwardAgent yes\n$/);
    expect(withInclude(`# mine\n\n${LINE}\nForwardAgent yes\n`, LINE)).toBeUndefined();
  });

  test('of another state folder, and notes of the person, stay', () => {
    const text = 'Include "/other/instances/*/ssh/config"\n# mine\nInclude x\n';
    expect(added(text).endsWith(text)).toBe(true);
    expect(withoutInclude(added(text), LINE)).toBe(text);
  });
});
