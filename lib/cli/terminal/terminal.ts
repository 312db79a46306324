/** The person's own terminal while a command inside has it: keys as they are, sizes and signals passed on. */

/** The terminal is put right again whatever happens. Returns what does it. */
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

/** Returns what ends it. */
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
