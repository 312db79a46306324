/** Renders the list of rooms in docs/architecture.md. */

const BEGIN = '<!-- rooms: generated from scripts/rooms.json -->';
const END = '<!-- end of rooms -->';

/** @param text the page; the lines between its two marks are replaced */
export function withRooms(text, rooms) {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/architecture.md has no block from ${BEGIN} to ${END}`);
  return `${text.slice(0, begin)}${BEGIN}\n\n${render(rooms)}\n${text.slice(end)}`;
}

function render(rooms) {
  const rows = Object.entries(rooms).map(([room, allowed]) => {
    const imports = allowed.map((name) => `\`${name}\``).join(', ');
    return `| \`${room}\` | ${imports || 'none'} |\n`;
  });
  return `| room | may import |\n|---|---|\n${rows.join('')}`;
}
