/** The call that writes the script's file, with one of the tools that the agent offers. Pure. */
import { listOf, type Script, tableOf } from './double.ts';

export interface OfferedTool {
  name: string;
  /** JSON Schema of its arguments */
  schema: unknown;
}

export interface ToolCall {
  name: string;
  arguments: Record<string, unknown>;
}

/** Best first: a shell is what every agent can be trusted to offer, a tool that writes files says best what is meant. */
const WRITERS = ['Write', 'write_file', 'write', 'create'];
const SHELLS = ['Bash', 'bash', 'exec_command', 'shell_command', 'shell', 'run_shell_command', 'local_shell'];

/** Undefined: none of the tools can write a file, as in the side requests for a title or a summary. */
export function writeCall(tools: OfferedTool[], script: Script): ToolCall | undefined {
  const named = (names: string[]) =>
    names.flatMap((name) => tools.find((tool) => tool.name === name) ?? []).find(() => true);
  const writer = named(WRITERS);
  if (writer !== undefined) return { name: writer.name, arguments: argumentsOf(writer.schema, script) };
  const shell = named(SHELLS);
  return shell === undefined ? undefined : { name: shell.name, arguments: argumentsOf(shell.schema, script) };
}

const PATHS = ['file_path', 'filePath', 'path', 'absolute_path'];
const CONTENTS = ['content', 'file_text', 'contents'];
const COMMANDS = ['command', 'cmd'];

/** Every argument that the schema knows and the script can say, and a word for each other one that it requires. */
function argumentsOf(schema: unknown, script: Script): Record<string, unknown> {
  const { properties, required } = tableOf(schema);
  const known = tableOf(properties);
  const command = writeCommand(script);
  const said = Object.keys(known).flatMap((name): [string, unknown][] => {
    if (PATHS.includes(name)) return [[name, script.path]];
    if (CONTENTS.includes(name)) return [[name, script.content]];
    if (!COMMANDS.includes(name)) return [];
    const isList = tableOf(known[name])['type'] === 'array';
    // A tool like `str_replace_editor` is told what to do by a word of a list.
    const words = listOf(tableOf(known[name])['enum']);
    return [[name, words.includes('create') ? 'create' : isList ? ['bash', '-c', command] : command]];
  });
  const rest = listOf(required)
    .filter((name): name is string => typeof name === 'string' && !said.some(([one]) => one === name))
    .map((name): [string, unknown] => [name, anyOf(tableOf(known[name]))]);
  return Object.fromEntries([...said, ...rest]);
}

/** A value that the schema accepts. */
export function anyOf(schema: Record<string, unknown>): unknown {
  const [word] = listOf(schema['enum']);
  if (word !== undefined) return word;
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type'];
  switch (String(type).toLowerCase()) {
    case 'boolean':
      return false;
    case 'integer':
    case 'number':
      return 1;
    case 'array':
      return [];
    case 'object': {
      const known = tableOf(schema['properties']);
      return Object.fromEntries(listOf(schema['required']).map((name) => [name, anyOf(tableOf(known[String(name)]))]));
    }
    default:
      return 'as the script says';
  }
}

/** For a POSIX shell */
export const writeCommand = ({ path, content }: Script): string => `printf '%s' ${quote(content)} > ${quote(path)}`;

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
