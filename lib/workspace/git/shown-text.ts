/** Makes a name or message of a guest safe for one line: control characters, line ends and changes of direction become visible. Pure. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const SHOWN_MAX = 400;

export function shownText(text: string): string {
  const shown = text
    .slice(0, SHOWN_MAX * 4)
    .replaceAll(STEERING, (one) => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`);
  return shown.length > SHOWN_MAX ? `${shown.slice(0, SHOWN_MAX)}…` : shown;
}
