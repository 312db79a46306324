/**
 * Earlier output of a session, for a terminal that joins: without the questions that a program asked its terminal. This terminal would answer
 * them now, and the answers would arrive as keys. Pure.
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
    // Colours and the clipboard: those with a question mark
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
