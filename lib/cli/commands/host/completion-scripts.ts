/** Completion scripts for the shells. They ask `sbx` for the words, so that they know every command, flag and sandbox. */
/** The word that `main` answers before any command; the typed words follow it. */
export const COMPLETE = '__complete';

// Without a match the shell completes files.
export const SCRIPTS: Record<string, string> = {
  bash: `_sbx() {
  mapfile -t COMPREPLY < <(sbx ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _sbx sbx`,
  // Either sourced, or found as a file `_sbx` by compinit, which runs the file instead of the function on the first call.
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

export const SHELLS = Object.keys(SCRIPTS);
