/** What a terminal can show: moving progress, colours. Pure. */

type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>;

/**
 * Whether a spinner makes sense. A serial console and the pseudo terminals of CI report 0 columns: a spinner that counts its own lines there
 * would erase without an end, at every frame.
 */
export function drawsProgress({ isTTY, columns }: Stream, env: NodeJS.ProcessEnv): boolean {
  return isTTY === true && columns > 0 && !isDumb(env) && !isSet(env['CI']);
}

export function showsColours({ isTTY }: Pick<Stream, 'isTTY'>, env: NodeJS.ProcessEnv): boolean {
  return isTTY === true && !env['NO_COLOR'] && !isDumb(env);
}

function isDumb(env: NodeJS.ProcessEnv): boolean {
  return env['TERM'] === 'dumb';
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value);
}
