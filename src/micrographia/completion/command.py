"""``micrographia completion SHELL``: the script of a shell; ``completion answer`` is what the scripts call at TAB."""

from collections.abc import Sequence

from micrographia.completion.candidates import SHELLS, Line, candidates
from micrographia.completion.command_line import bash_line, bash_words
from micrographia.completion.scripts import SCRIPTS
from micrographia.errors import UserError
from micrographia.tasks.composing import without_show

ANSWER = "answer"


def completion_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia completion bash|zsh|fish`` and return the exit status.

    Raises
    ------
    UserError
        If there is no such shell.
    """
    if arguments[:1] == [ANSWER]:
        for text in answer(*arguments[1:]):
            print(text)
        return 0
    names, shown = without_show(arguments)
    if not names or {"-h", "--help"} & set(names):
        print(overview())
        return 0
    if names[0] not in SHELLS or len(names) > 1:
        raise UserError(f"completion {' '.join(names)}: name one of {', '.join(SHELLS)}.")
    print(f"task: completion {names[0]}\n" if shown else SCRIPTS[names[0]], end="")
    return 0


def overview() -> str:
    """Text of ``micrographia completion --help``."""
    return (
        "micrographia completion: the script with which a shell completes commands\n\n"
        "  micrographia completion bash|zsh|fish\n\n"
        "To install it, once:\n"
        "  bash  echo 'eval \"$(micrographia completion bash)\"' >> ~/.bashrc\n"
        "  zsh   echo 'eval \"$(micrographia completion zsh)\"' >> ~/.zshrc\n"
        "  fish  micrographia completion fish > ~/.config/fish/completions/micrographia.fish\n\n"
        "Then open a new terminal. It completes verbs, groups with their choices, keys with their values, presets,\n"
        "studies, public sets, runs and files; those of your own config folders too."
    )


def answer(shell: str, place: str, *words: str) -> list[str]:
    """Candidates for a shell, as its script takes them; none rather than an error.

    Parameters
    ----------
    shell
        bash gives the line, the others its words; they show what is known of a candidate behind a tab.
    place
        Where the cursor is: in the line, or which word it is, counted from 0 with ``micrographia``.
    words
        The line, or its words after ``micrographia``.
    """
    try:
        if shell == "bash":
            line, quote = bash_line(words[0], int(place))
            return bash_words(list(candidates(line)), line.word, quote)
        number = int(place) - 1
        line = Line(words[:number], words[number] if number < len(words) else "", words[number + 1 :])
        return [f"{text}\t{note}".rstrip("\t") for text, note in candidates(line).items()]
    except (UserError, OSError, ValueError, IndexError, AttributeError, TypeError):
        return []  # what is written so far is no command, or a file is broken: the command itself will say so
