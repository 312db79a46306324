function __sbx_complete
  set -l words (commandline -opc) (commandline -ct)
  sbx __complete $words[2..-1] 2>/dev/null
end
complete -c sbx -f -n 'test -n "$(__sbx_complete)"' -a '(__sbx_complete)'
