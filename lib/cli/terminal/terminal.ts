/** Lends the user's terminal to a command inside: raw keys, sizes and signals are passed on. */

/** Returns a function that restores the terminal; an exit of the process restores it as well. */
export function rawTerminal(resize: (cols: number, rows: number) => void): () => void {
  const { stdin, stdout } = process;
  const onResize = () => resize(stdout.columns, stdout.rows);
  stdin.setRawMode(true);
  stdout.on('resize', onResize);
  const restore = () => {
    stdout.off('resize', onResize);
    if (stdin.isTTY) stdin.setRawMode(false);
  };
  process.once('exit', restore);
  return () => {
    process.off('exit', restore);
    restore();
  };
}

/** Returns a function that ends the forwarding. */
export function forwardSignals(kill: (signal: string) => void): () => void {
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const).map((signal) => {
    const handler = () => kill(signal);
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => {
    for (const off of handlers) off();
  };
}

export function terminalSize(): { cols: number; rows: number; term: string } {
  const { columns = 80, rows = 24 } = process.stdout;
  return { cols: columns, rows, term: process.env['TERM'] ?? 'xterm-256color' };
}

export async function ended(stream: NodeJS.ReadableStream): Promise<void> {
  if ((stream as { readableEnded?: boolean }).readableEnded) return;
  await new Promise((resolve) => stream.once('end', resolve));
}
