/** The first page of help: all commands, grouped by task. */

interface Page {
  /** What each command does, by its words */
  briefs: ReadonlyMap<string, string>;
}

/** Each command MUST be in one section: a test looks for all of them on the page. */
export const SECTIONS: readonly [title: string, commands: readonly string[]][] = [
  ['Start', ['init', 'validate', 'lock', 'plan', 'apply']],
  ['Work in a sandbox', ['run', 'exec', 'shell', 'cp', 'logs', 'open', 'ssh-config', 'ssh-proxy']],
  ['See', ['ls', 'status', 'inspect', 'stats', 'ports']],
  ['Change', ['start', 'stop', 'suspend', 'restart', 'reset', 'rm']],
  ['Snapshots of a disk', ['snapshot create', 'snapshot ls', 'snapshot restore', 'snapshot rm']],
  ['Take work over', ['diff', 'accept', 'fetch', 'workspace check']],
  ['Network', ['net log', 'net check', 'net allow', 'net deny', 'net revoke', 'net suggest']],
  ['MCP servers', ['mcp ls', 'mcp log', 'mcp accept']],
  ['Secrets', ['secret set', 'secret ls', 'secret rm']],
  ['Templates', ['template ls', 'template show']],
  ['This host', ['doctor', 'gc', 'daemon status', 'daemon stop', 'daemon logs', 'completion', 'version']],
];

export const EXAMPLES: readonly [line: string, what: string][] = [
  ['sbx init && sbx apply', 'a sandbox for the project in this folder'],
  ['sbx run', 'its agent on this terminal'],
  ['sbx run --headless "fix the build"', 'its agent unattended'],
  ['sbx exec -- npm test', 'a command inside'],
];

export function helpPage({ briefs }: Page): string {
  const width = Math.max(...[...briefs.keys()].map((name) => name.length));
  const sections = SECTIONS.flatMap(([title, names]) => [
    '',
    title,
    ...names.map((name) => `  ${name.padEnd(width)}  ${briefs.get(name) ?? ''}`),
  ]);
  const wide = Math.max(...EXAMPLES.map(([line]) => line.length));
  return [
    'sbx runs coding agents unattended and safely, each in its own microVM.',
    ...sections,
    '',
    'Examples',
    ...EXAMPLES.map(([line, what]) => `  ${line.padEnd(wide)}  # ${what}`),
    '',
    '`sbx help COMMAND` shows the options of one. Every command takes --json and --project DIR.',
  ].join('\n');
}
