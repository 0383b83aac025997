# SPDX-License-Identifier: Apache-2.0
# bash's completion of carrel(1): the command itself knows what may come next, names of things included.
_carrel()
{
    local IFS=$'\n' word
    COMPREPLY=()
    while read -r word; do
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <(carrel --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F _carrel carrel
