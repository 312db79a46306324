/** completion: scripts for the shells. They ask `sbx` itself for the words, so that they know every command, flag and sandbox. */
import { SbxError } from '../../../errors.ts';
import { command } from '../../command/command.ts';

/** Words that `main` answers before anything else: what was typed stands behind it. */
export const COMPLETE = '__complete';

// What fits nothing of ours is the shell's: files, mostly.
const SCRIPTS: Record<string, string> = {
  bash: `_sbx() {
  mapfile -t COMPREPLY < <(sbx ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _sbx sbx`,
  // Either sourced, or found as a file `_sbx` by compinit, which runs it in place of the function at the first time.
  zsh: `#compdef sbx
_sbx() {
  local -a found
  found=(\${(f)"$(sbx ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#found} )); then compadd -- $found; else _files; fi
}
if [[ \${funcstack[1]} == _sbx ]]; then _sbx; else compdef _sbx sbx; fi`,
  fish: `function __sbx_complete
  set -l words (commandline -opc) (commandline -ct)
  sbx ${COMPLETE} $words[2..-1] 2>/dev/null
end
complete -c sbx -f -n 'test -n "$(__sbx_complete)"' -a '(__sbx_complete)'`,
};

export const completion = command<object, [string]>({
  brief: 'Prints a completion script: bash, zsh or fish',
  parameters: {
    positional: {
      kind: 'tuple',
      parameters: [
        {
          parse: String,
          brief: 'bash, zsh or fish',
          placeholder: 'shell',
          proposeCompletions: (partial: string) => Object.keys(SCRIPTS).filter((name) => name.startsWith(partial)),
        },
      ],
    },
  },
  async run({ args, view }) {
    const script = Object.hasOwn(SCRIPTS, args[0]) ? SCRIPTS[args[0]] : undefined;
    if (script === undefined)
      throw new SbxError('usage', `no completion for ${args[0]}`, {
        why: `there is one for ${Object.keys(SCRIPTS).join(', ')}`,
        hint: 'for example, in ~/.bashrc: source <(sbx completion bash)',
      });
    view.result({ shell: args[0], script }, script);
    return 0;
  },
});
