_sbx() {
  mapfile -t COMPREPLY < <(sbx __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _sbx sbx
