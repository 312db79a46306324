/**
 * Removes terminal queries from the earlier output of a session: the terminal that joins would answer them now, and the agent would read the
 * answers as keys. Pure.
 */

const ESC = '\\x1b';
const QUESTIONS = new RegExp(
  [
    // Device attributes, version, status and position, modes, keyboard flags
    `${ESC}\\[[>=?]?[\\d;]*c`,
    `${ESC}\\[>[\\d;]*q`,
    `${ESC}\\[\\??[\\d;]*n`,
    `${ESC}\\[\\??[\\d;]*\\$p`,
    `${ESC}\\[\\?u`,
    `${ESC}\\[\\?4m`,
    // Sizes and titles of the window
    `${ESC}\\[(?:1[13456789]|2[01])(?:;[\\d;]*)?t`,
    // Queries of colours and the clipboard have a question mark
    `${ESC}\\][\\d;]*;\\?(?:\\x07|${ESC}\\\\)`,
    `${ESC}\\]52;[^\\x07\\x1b]*(?:\\x07|${ESC}\\\\)`,
    // Capabilities and settings, graphics
    `${ESC}P[+$][qp]?[^\\x1b]*${ESC}\\\\`,
    `${ESC}_G[^\\x1b]*${ESC}\\\\`,
    '\\x05',
  ].join('|'),
  'g',
);

export function withoutQuestions(output: Buffer): Buffer {
  return Buffer.from(output.toString('latin1').replace(QUESTIONS, ''), 'latin1');
}
