# bash completion for mesoc; source it, or install it as
# /usr/share/bash-completion/completions/mesoc

_mesoc() {
	local current=${COMP_WORDS[COMP_CWORD]} command='' at
	for ((at = 1; at < COMP_CWORD; at++)); do
		case ${COMP_WORDS[at]} in
		create | run | exec | start | state | kill | delete | ps | pause | resume | update | events | stats | checkpoint | restore)
			command=${COMP_WORDS[at]}
			break
			;;
		esac
	done
	COMPREPLY=()
	case $command:${COMP_WORDS[COMP_CWORD - 1]} in
	@(create|run|restore):@(-b|--bundle) | @(checkpoint|restore):@(--image-path|--work-path))
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	@(create|run|exec|restore):@(--pid-file|--*-socket|--process|-p) | update:@(--resources|-r))
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	if [[ $current != -* && $command == @(exec|start|state|kill|delete|ps|pause|resume|update|events|stats|checkpoint) ]]; then
		# With the global flags that are there already: they may name another --root.
		mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[@]:0:at}" list --quiet 2>/dev/null)" -- "$current")
		return
	fi
	local asked=("${COMP_WORDS[@]:0:COMP_CWORD}")
	[[ $current == -* ]] && asked+=("$current")
	mapfile -t COMPREPLY < <(compgen -W "$("${asked[@]}" --generate-bash-completion 2>/dev/null)" -- "$current")
}

complete -F _mesoc mesoc
