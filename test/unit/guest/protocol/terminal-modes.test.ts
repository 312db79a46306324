import { describe, expect, test } from 'vitest';
import { TerminalModes } from '../../../../lib/guest/protocol/terminal-modes.ts';

function fed(...output: string[]): TerminalModes {
  const modes = new TerminalModes();
  for (const piece of output) modes.feed(Buffer.from(piece, 'latin1'));
  return modes;
}

describe('the modes of a terminal', () => {
  test('a fresh terminal needs only a reset of its colours', () => {
    expect(fed('plain text\r\n', '\x1b[31mred\x1b[0m\x1b[2J').enter()).toBe('');
    expect(fed('plain').leave()).toBe('\x1b[0m');
  });

  test('modes that are on are set for the next client and reset at the end, the screen last', () => {
    const modes = fed('\x1b[?1049h\x1b[?25l\x1b[?1000;1006h\x1b[?2004h\x1b=');
    expect(modes.enter()).toBe('\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b=');
    expect(modes.leave()).toBe('\x1b>\x1b[?25h\x1b[?1000l\x1b[?1006l\x1b[?2004l\x1b[0m\x1b[?1049l');
  });

  test('a mode that was switched off is not restored', () => {
    expect(fed('\x1b[?1049h\x1b[?25l', '\x1b[?1049l\x1b[?25h').leave()).toBe('\x1b[0m');
    expect(fed('\x1b[?1049h\x1b[>1u\x1b=', '\x1bc').leave()).toBe('\x1b[0m');
    expect(fed('\x1b[?2026h').leave()).toBe('\x1b[0m');
  });

  test('keyboard protocols are a stack', () => {
    const modes = fed('\x1b[>1u\x1b[>7u\x1b[>4;2m');
    expect(modes.enter()).toBe('\x1b[>1u\x1b[>7u\x1b[>4;2m');
    expect(modes.leave()).toBe('\x1b[<2u\x1b[>4m\x1b[0m');
    expect(fed('\x1b[>1u\x1b[<u').leave()).toBe('\x1b[0m');
  });

  test('a scroll region, the shape of the cursor', () => {
    expect(fed('\x1b[2;10r\x1b[5 q').leave()).toBe('\x1b[0 q\x1b7\x1b[r\x1b8\x1b[0m');
    expect(fed('\x1b[2;10r\x1b[r').leave()).toBe('\x1b[0m');
  });

  test('sequences cut anywhere are the same', () => {
    const output = 'x\x1b[?1049h y \x1b[?1000;1006h\x1b[>1uz\x1b[3 q\x1b[1;5r';
    const whole = fed(output);
    for (let at = 1; at < output.length; at += 1) {
      const cut = fed(output.slice(0, at), output.slice(at));
      expect([cut.enter(), cut.leave()], `cut at ${at}`).toEqual([whole.enter(), whole.leave()]);
    }
    const bytes = fed(...output);
    expect(bytes.leave()).toBe(whole.leave());
  });

  test('a flood of modes, valid or not, is bounded', () => {
    const modes = new TerminalModes();
    for (let mode = 0; mode < 5_000; mode += 1) modes.feed(Buffer.from(`\x1b[?${mode}h`));
    modes.feed(Buffer.from(`\x1b[?${'1'.repeat(100_000)}`));
    modes.feed(Buffer.from('\x1b[>1u'.repeat(5_000)));
    expect(modes.enter().length).toBeLessThan(1_000);
    modes.feed(Buffer.from('\x1b[?25l'));
    expect(modes.enter().length).toBeLessThan(1_000);
  });
});
