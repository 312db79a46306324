/** Real shells with sbx's own completion, asked as a person asks them: bash and zsh by keys on a terminal, fish by its own command. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type IPty, spawn } from '@lydell/node-pty';

const SBX = fileURLToPath(new URL('../../../../bin/sbx', import.meta.url));

export interface Shell {
  /** What the line becomes when all that is proposed for its last word is put in */
  all(line: string): Promise<string>;
  end(): void;
}

export interface TypingShell extends Shell {
  /** What the line becomes by the Tab key */
  tab(line: string): Promise<string>;
}

export interface Place {
  /** The test's own: home, settings and state */
  dir: string;
  /** Where the shell is */
  cwd: string;
}

/** `sbx` is on the PATH; of the tester's own settings nothing is read. */
function environmentIn(dir: string): Record<string, string> {
  const bin = join(dir, 'bin');
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, 'sbx'), { force: true });
  symlinkSync(SBX, join(bin, 'sbx'));
  const PATH = `${bin}${delimiter}${process.env['PATH']}`;
  return { PATH, HOME: dir, ZDOTDIR: dir, SBX_HOME: join(dir, 'h'), LANG: 'C.UTF-8', TERM: 'xterm' };
}

const KEYS = { all: '\x18a', tab: '\t', tell: '\x18w' };

/** The shell writes its line down and begins a new one. */
const TELL = (line: string) => `tell() { printf %s "$${line}" >"$ANSWER.new"; mv "$ANSWER.new" "$ANSWER"; ${line}=; }`;
const READY = ': >"$ANSWER"';

export function bash(place: Place): TypingShell {
  const rc = join(place.dir, '.bashrc');
  const settings = [
    'set -o emacs',
    'source <(sbx completion bash)',
    String.raw`bind '"\C-xa": insert-completions'`,
    TELL('READLINE_LINE'),
    String.raw`bind -x '"\C-xw": tell'`,
    READY,
  ];
  writeFileSync(rc, `${settings.join('\n')}\n`);
  return typing(['bash', '--noprofile', '--rcfile', rc, '-i'], place);
}

/** `script`: how its completion is set up, in place of what the documentation says. */
export function zsh(
  place: Place,
  script = 'autoload -Uz compinit && compinit -u -D\nsource <(sbx completion zsh)',
): TypingShell {
  const settings = [
    'bindkey -e',
    script,
    'zle -C all complete-word _generic',
    "zstyle ':completion:all:*' completer _all_matches _complete",
    "zstyle ':completion:all:*' insert true",
    "bindkey '^Xa' all",
    TELL('BUFFER'),
    "zle -N tell && bindkey '^Xw' tell",
    READY,
  ];
  writeFileSync(join(place.dir, '.zshrc'), `${settings.join('\n')}\n`);
  return typing(['zsh', '-d', '-i'], place);
}

function typing([program = '', ...args]: string[], { dir, cwd }: Place): TypingShell {
  const ANSWER = join(dir, `answer-of-${program}`);
  const pty = spawn(program, args, { cols: 2000, rows: 50, cwd, env: { ...environmentIn(dir), ANSWER } });
  const next = answersOf(pty, ANSWER);
  const ready = next();
  const by = (keys: string) => async (line: string) => {
    await ready;
    pty.write(line + keys + KEYS.tell);
    return (await next()).trimEnd();
  };
  return { all: by(KEYS.all), tab: by(KEYS.tab), end: () => pty.kill('SIGKILL') };
}

/** Each call waits for what the shell writes down next. */
function answersOf(pty: IPty, file: string): () => Promise<string> {
  let shown = '';
  let ended = false;
  pty.onData((data) => {
    shown += data;
  });
  pty.onExit(() => {
    ended = true;
  });
  return async () => {
    while (!existsSync(file)) {
      if (ended) throw new Error(`the shell ended: ${shown}`);
      await sleep(10);
    }
    const text = readFileSync(file, 'utf8');
    rmSync(file);
    return text;
  };
}

export function fish({ dir, cwd }: Place): Shell {
  const script = 'sbx completion fish | source; complete -C $argv[1]';
  const env = environmentIn(dir);
  return {
    async all(line) {
      const { stdout, stderr } = await promisify(execFile)('fish', ['--no-config', '-c', script, line], { cwd, env });
      if (stderr !== '') throw new Error(stderr);
      // Word, tab, description: bare, where the line has it quoted.
      const rows = stdout.split('\n').filter((row) => row !== '');
      const words = rows.map((row) => row.replace(/\t.*/, '').replace(/[^\w./-]/g, '\\$&'));
      const before = /^(?:.*[^\\] )?/.exec(line)?.[0] ?? '';
      return words.length === 0 ? line.trimEnd() : before + words.join(' ');
    },
    end: () => {},
  };
}
