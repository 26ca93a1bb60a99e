"""A line of bash, split as bash splits it, and the words that it takes for what is written."""

import re
from collections.abc import Sequence

from micrographia.completion.candidates import Line

QUOTES = "\"'"
BREAKS = "=:"  # of the characters at which bash ends a word, those that our words hold
SPECIAL = re.compile(r"([\s\"'\\$&|;<>()`*?\[\]{}!#])")  # what bash would not take for part of a word


def split(text: str) -> tuple[list[str], str, str]:
    """Whole words of a text, the one that is not ended, and the quotation mark that it stands in, if any.

    Examples
    --------
    >>> split("micrographia train  data=x 'run=my ru")
    (['micrographia', 'train', 'data=x'], 'run=my ru', "'")
    """
    words, word, quote, begun = [], "", "", False
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\" and quote != "'" and place + 1 < len(text):
            place += 1
            word, begun = word + text[place], True
        elif quote:
            quote, word = ("", word) if sign == quote else (quote, word + sign)
        elif sign in QUOTES:
            quote, begun = sign, True
        elif sign.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + sign, True
        place += 1
    return words, word, quote


def bash_line(text: str, point: int) -> tuple[Line, str]:
    """The command of a line of bash with the cursor at a point, and the quotation mark around its word."""
    words, word, quote = split(text[:point])
    after, last, _ = split(text[point:].lstrip())
    first = next((place for place, each in enumerate(words) if "=" not in each), 0)  # behind A=b micrographia
    return Line(words[first + 1 :], word, [*after, last]), quote


def bash_words(found: Sequence[str], word: str, quote: str) -> list[str]:
    r"""Candidates as bash takes them: without what stands before its last break of the word, with signs escaped.

    Examples
    --------
    >>> bash_words(["model=beta_vae", "model=cnn"], "model=", ""), bash_words(["run=my runs/"], "run=my", "'")
    (['beta_vae', 'cnn'], ['run=my runs/'])
    >>> bash_words(["data.root=my images/"], "data.root=my", "")
    ['my\\ images/']
    """
    if quote:
        return list(found)
    cut = max(word.rfind(sign) for sign in BREAKS) + 1
    return [SPECIAL.sub(r"\\\1", text[cut:]) for text in found]
