"""The scripts by which shells ask the ``micrographia`` that is being written, of whichever environment."""

BASH = r"""# micrographia: completion for bash. Install it: echo 'eval "$(micrographia completion bash)"' >> ~/.bashrc
_micrographia() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]/#\~/$HOME}" completion answer bash "$COMP_POINT" "$COMP_LINE" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=./] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _micrographia micrographia 2>/dev/null ||  # bash before 4.4, as that of macOS
    complete -o nospace -F _micrographia micrographia
"""

ZSH = r"""#compdef micrographia
# micrographia: completion for zsh. Install it: echo 'eval "$(micrographia completion zsh)"' >> ~/.zshrc
_micrographia() {
    local -a found ended open ended_shown open_shown
    local line text
    found=("${(@f)$("${words[1]/#\~/$HOME}" completion answer zsh "$((CURRENT - 1))" "${(@)words[2,-1]}" 2>/dev/null)}")
    for line in $found; do
        text=${line%%$'\t'*}
        if [[ $text == *[=./] ]]; then
            open+=("$text"); open_shown+=("${${line/$'\t'/  -- }[1,COLUMNS-1]}")
        else
            ended+=("$text"); ended_shown+=("${${line/$'\t'/  -- }[1,COLUMNS-1]}")
        fi
    done
    (( $#open )) && compadd -V keys -l -S '' -d open_shown -- $open
    (( $#ended )) && compadd -V values -l -d ended_shown -- $ended
    (( $#open + $#ended ))
}
if [[ $funcstack[1] == _micrographia ]]; then
    _micrographia "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _micrographia micrographia
fi
"""

FISH = r"""# micrographia: completion for fish. Install it:
# micrographia completion fish > ~/.config/fish/completions/micrographia.fish
function __micrographia_answer
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    $words[1] completion answer fish (count $words) $words[2..-1] "$word" 2>/dev/null
end
complete -c micrographia -f -k -a '(__micrographia_answer)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
