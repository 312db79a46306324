/** Asks a package manager of the host for its settings. */

/** Lines that a tool prints. It runs in the root folder, outside any project. Empty if the tool is missing or fails. */
export async function ask(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  // Loaded here: with a kept answer no tool is run, and loading takes a command's time.
  const { run } = await import('../../system/run-tool.ts');
  const stdout = await run(command, args, { cwd: '/', env }).catch(() => '');
  return stdout.split('\n').filter((line) => line.trim() !== '');
}
