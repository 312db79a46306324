/** Whether an entry of a network list is well-formed. The gateway parses it again by itself: this one is for messages. */
const LABELS = String.raw`(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`;
const PORTS = String.raw`(?::(\d{1,5})(?:-(\d{1,5}))?)?`;
const HOST = new RegExp(`^(?:\\*\\*?\\.)?${LABELS}${PORTS}$`);
const V4 = new RegExp(String.raw`^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:/(\d{1,2}))?${PORTS}$`);
const V6 = new RegExp(
  String.raw`^(?:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*(?:/\d{1,3})?|\[[0-9A-Fa-f:.]+\](?:/\d{1,3})?${PORTS})$`,
);

export const PRESETS = ['npm', 'apt', 'pip'] as const;
export type Preset = (typeof PRESETS)[number];

export function parsePattern(text: string): boolean {
  if (text.length > 300) return false;
  const preset = presetOf(text);
  if (preset !== undefined) return true;
  const v4 = V4.exec(text);
  if (v4 !== null)
    return (
      v4.slice(1, 5).every((part) => Number(part) <= 255 && String(Number(part)) === part) &&
      Number(v4[5] ?? 0) <= 32 &&
      portsOk(v4[6], v4[7])
    );
  const host = HOST.exec(text);
  if (host !== null) return !/^\d+$|^0x/i.test(lastLabel(text)) && portsOk(host[1], host[2]);
  const v6 = V6.exec(text);
  return v6 !== null && portsOk(v6[1], v6[2]);
}

export function presetOf(text: string): Preset | undefined {
  const name = text.startsWith('preset:') ? text.slice('preset:'.length) : undefined;
  return PRESETS.find((preset) => preset === name);
}

function lastLabel(text: string): string {
  return text.split(':')[0]?.split('.').at(-1) ?? '';
}

function portsOk(from: string | undefined, to: string | undefined): boolean {
  const ok = (port: string | undefined) =>
    port === undefined || (Number(port) >= 1 && Number(port) <= 65_535 && !port.startsWith('0'));
  return ok(from) && ok(to) && (to === undefined || Number(from) <= Number(to));
}
