/** The commands that work inside a sandbox. */
import { EDITORS } from '../../../ssh/editors.ts';
import { command } from '../../command/command.ts';
import { APPLY_FLAGS, count, LOG_FLAGS, maybeName, sandbox, text, toggle } from '../../command/parameters.ts';
import { DETACH_KEYS } from '../../terminal/detach-keys.ts';

const USER = text('User inside; default: agent');
const WORKDIR = text(
  'Folder, relative to the workspace; default: the current folder if it is in the workspace, else the workspace',
);
const PUBLISH = {
  ...text('Port open while the command runs: [ADDR:]HOST:GUEST, or one for both; may be repeated'),
  variadic: true,
} as const;
const APPLY = toggle('Apply sandbox.toml first');

export const sessionRoutes = {
  run: command({
    brief: 'Runs the agent of a sandbox, after an apply if needed',
    usage: ['[NAME] [-- ARGS…]', '[NAME] --headless PROMPT'],
    examples: [
      'sbx run',
      'sbx run review -- --resume',
      'sbx run --headless "fix the build"',
      'sbx run -d && sbx logs -f',
    ],
    parameters: {
      flags: {
        headless: { ...text('Without a terminal, with this prompt; -: from stdin'), placeholder: 'prompt' },
        detach: toggle('Start the agent and return at once'),
        detachKeys: { kind: 'parsed', parse: String, brief: 'Keys that leave the terminal', default: DETACH_KEYS },
        interactive: toggle('Without a terminal: pass stdin on'),
        publish: PUBLISH,
        end: toggle('End the running sessions of the agent'),
        ...APPLY_FLAGS,
      },
      aliases: { d: 'detach', i: 'interactive', y: 'yes', p: 'publish' },
      positional: { kind: 'array', parameter: sandbox('The sandbox, then -- and arguments of the agent', 'arg') },
    },
    load: async () => (await import('./run.ts')).run,
  }),
  exec: command({
    brief: 'Runs a command in a sandbox',
    usage: ['[NAME] -- CMD…'],
    examples: [
      'sbx exec -- npm test',
      'sbx exec -w packages/api -e CI -- npm test',
      'git ls-files | sbx exec -i -- wc -l',
    ],
    parameters: {
      flags: {
        interactive: toggle('Pass stdin on'),
        tty: toggle('Give the command a terminal'),
        user: USER,
        workdir: WORKDIR,
        env: { ...text('NAME=VALUE, or NAME for the value of this host; may be repeated'), variadic: true },
        envFile: { ...text('File with a line NAME=VALUE for each variable; may be repeated'), variadic: true },
        publish: PUBLISH,
        apply: APPLY,
      },
      aliases: { i: 'interactive', t: 'tty', u: 'user', w: 'workdir', e: 'env', p: 'publish' },
      positional: { kind: 'array', parameter: sandbox('The sandbox, then -- and the command', 'arg') },
    },
    load: async () => (await import('./exec.ts')).exec,
  }),
  shell: command({
    brief: 'Opens a shell in a sandbox',
    parameters: {
      flags: { user: USER, workdir: WORKDIR, publish: PUBLISH, apply: APPLY },
      aliases: { u: 'user', w: 'workdir', p: 'publish' },
      positional: maybeName(),
    },
    load: async () => (await import('./shell.ts')).shell,
  }),
  cp: command({
    brief: 'Copies files and folders in or out',
    usage: ['FILE [NAME]:PATH', '[NAME]:PATH FILE'],
    examples: ['sbx cp data.csv :/tmp/', 'sbx cp review:/tmp/report report'],
    parameters: {
      flags: {
        user: text('Owner of the files written inside; default: agent'),
        quiet: toggle('Show no progress'),
      },
      aliases: { u: 'user', q: 'quiet' },
      positional: {
        kind: 'tuple',
        parameters: [
          { parse: String, brief: 'From', placeholder: 'from' },
          { parse: String, brief: 'To', placeholder: 'to' },
        ],
      },
    },
    load: async () => (await import('./cp.ts')).cp,
  }),
  logs: command({
    brief: 'Shows the output of the agent of a sandbox; or of the console, the bake, the daemon',
    parameters: {
      flags: {
        ...LOG_FLAGS,
        session: count('An earlier session of the agent'),
        raw: toggle('Every byte, also terminal control sequences'),
        console: toggle('The console of the VM'),
        bake: toggle('The output of the last bake'),
        daemon: toggle('The daemon'),
      },
      aliases: { f: 'follow', n: 'lines' },
      positional: maybeName(),
    },
    load: async () => (await import('./logs.ts')).logs,
  }),
  'ssh-config': command({
    brief: 'Prints the host entries of sandboxes for ssh, or makes ssh read them',
    examples: ['sbx ssh-config --install', 'ssh web.shop.sbx', 'sbx ssh-config web > web.conf'],
    parameters: {
      flags: {
        install: toggle('Add a line to ~/.ssh/config that reads the host entries of all sandboxes'),
        uninstall: toggle('Remove this line'),
        file: { ...text('Another file instead of ~/.ssh/config'), placeholder: 'file' },
      },
      positional: maybeName(),
    },
    load: async () => (await import('./ssh-config.ts')).sshConfig,
  }),
  'ssh-proxy': command({
    brief: 'Connects stdin and stdout to an ssh server in a sandbox, for ssh itself',
    parameters: { positional: { kind: 'tuple', parameters: [sandbox('The sandbox')] } },
    load: async () => (await import('./ssh-proxy.ts')).sshProxy,
  }),
  open: command({
    brief: 'Opens the workspace of a sandbox in an editor, over ssh',
    examples: ['sbx open', 'sbx open web --editor cursor'],
    parameters: {
      flags: {
        editor: { kind: 'parsed', parse: String, brief: EDITORS.join(', '), default: 'code' },
        print: toggle('Print its command instead of running it'),
      },
      positional: maybeName(),
    },
    load: async () => (await import('./open.ts')).open,
  }),
};
