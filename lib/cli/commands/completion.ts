/** completion: scripts for the shells; the words come from the commands themselves. */
import { SbxError } from '../../errors.ts';
import { command } from '../command.ts';

const COMMANDS = [
  'init',
  'validate',
  'plan',
  'apply',
  'ls',
  'inspect',
  'exec',
  'shell',
  'cp',
  'logs',
  'stop',
  'start',
  'reset',
  'rm',
  'net',
  'secret',
  'doctor',
  'gc',
  'daemon',
  'completion',
];
const NAMED = ['inspect', 'exec', 'shell', 'logs', 'stop', 'start', 'reset', 'rm'];
const NESTED: Record<string, string[]> = {
  net: ['log', 'check', 'allow', 'suggest'],
  secret: ['set', 'ls', 'rm'],
  daemon: ['status', 'stop', 'logs'],
  completion: ['bash', 'zsh', 'fish'],
};

/** Names of sandboxes, asked for at completion time; plain text, one a line. */
const LIST = `sbx ls --json 2>/dev/null | tr ',' '\\n' | sed -n 's/.*"name":"\\([a-z0-9-]*\\)".*/\\1/p'`;

const SCRIPTS: Record<string, () => string> = {
  bash: () => `_sbx() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" verb="\${COMP_WORDS[1]}"
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${COMMANDS.join(' ')}" -- "$cur")); return; fi
  case "$verb" in
${Object.entries(NESTED)
  .map(([verb, words]) => `    ${verb}) COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur"));;`)
  .join('\n')}
    ${NAMED.join('|')}) COMPREPLY=($(compgen -W "$(${LIST})" -- "$cur"));;
    cp) COMPREPLY=($(compgen -f -- "$cur"));;
  esac
}
complete -F _sbx sbx`,
  zsh: () => `#compdef sbx
_sbx() {
  if (( CURRENT == 2 )); then compadd ${COMMANDS.join(' ')}; return; fi
  case "$words[2]" in
${Object.entries(NESTED)
  .map(([verb, words]) => `    ${verb}) compadd ${words.join(' ')};;`)
  .join('\n')}
    ${NAMED.join('|')}) compadd $(${LIST});;
    cp) _files;;
  esac
}
compdef _sbx sbx`,
  fish: () =>
    [
      'complete -c sbx -f',
      `complete -c sbx -n __fish_use_subcommand -a "${COMMANDS.join(' ')}"`,
      ...Object.entries(NESTED).map(
        ([verb, words]) => `complete -c sbx -n "__fish_seen_subcommand_from ${verb}" -a "${words.join(' ')}"`,
      ),
      `complete -c sbx -n "__fish_seen_subcommand_from ${NAMED.join(' ')}" -a "(${LIST.replaceAll('\\n', '\\\\n')})"`,
    ].join('\n'),
};

export const completion = command<object, [string]>({
  brief: 'Prints a completion script: bash, zsh or fish',
  parameters: {
    positional: { kind: 'tuple', parameters: [{ parse: String, brief: 'bash, zsh or fish', placeholder: 'shell' }] },
  },
  async run({ args, view }) {
    const script = SCRIPTS[args[0]]?.();
    if (script === undefined)
      throw new SbxError('usage', `no completion for ${args[0]}`, { hint: 'there is bash, zsh and fish' });
    view.result({ shell: args[0], script }, script);
    return 0;
  },
});
