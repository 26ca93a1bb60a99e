"""What can stand in place of the word that is being written, with what is known of it."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from micrographia.completion.composing import Composition, compose, readable
from micrographia.completion.places import files, is_one_of, runs
from micrographia.completion.values import select, values_of, verb_values
from micrographia.config import config_directory
from micrographia.help import group_choices, launchers, own_groups
from micrographia.overrides import EXECUTION, INPUTS, PATH_KEYS, RUN_KEY, is_execution
from micrographia.presets import GROUP, presets
from micrographia.search_path import folders, study_files
from micrographia.verbs import COMMANDS, FLAGS, VERBS

Known = dict[str, str]  # candidates, each with what is said of it
SHELLS = ("bash", "zsh", "fish")
ACTIONS = ("list", "fetch", "check", "preview")
# Root configs of verbs that are not called as theirs, by verb and action.
ROOTS = {"data list": "fetch", "data fetch": "fetch", "data check": "inspect", "data preview": "inspect"}
PLACES = (*PATH_KEYS, "output", "input")  # keys whose value is a file or a folder
LAUNCHER = "hydra/launcher"
# Tasks whose runs a verb's run= takes, and of trainings the inputs that they can be: all where none is named.
ANY: tuple[tuple[str, ...], tuple[str, ...]] = (("train", "transfer", "superresolve"), ())
TAKEN = {
    "evaluate": (("train", "transfer"), ("source",)),
    "predict": (("train", "transfer", "superresolve"), ("source",)),
    "export": (("train", "transfer"), ("source", "generator", "encoder")),
}
OPTIONS = {
    "-m": "a run of each of several values: seed=0,1,2",
    "--multirun": "a run of each of several values: seed=0,1,2",
    "--yes": "start many jobs",
    "--cfg": "show the configuration: job, hydra or all",
    "--resolve": "with --cfg: values in place of references",
    "--package": "with --cfg: this part of the configuration alone",
    "--info": "how the configuration is composed",
}
COMMON = {"--config-dir": "a folder with configs of one's own", "--help": "what the verb takes"}


@dataclass
class Line:
    """A command as far as it is written.

    Parameters
    ----------
    before
        Words after ``micrographia`` and before the one that is being written.
    word
        As far as it is written.
    after
        Words behind it, which say as much of the configuration as those before it.
    """

    before: Sequence[str]
    word: str
    after: Sequence[str] = ()
    given: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        pairs = [text.lstrip("+").partition("=") for text in (*self.before, *self.after) if "=" in text]
        # The last of several values stands for all of them.
        self.given = {key: value.strip("'\"").rpartition(",")[2] for key, _, value in pairs if not key.startswith("-")}

    @property
    def verb(self) -> str:
        """First word; empty where it is the one being written."""
        return self.before[0] if self.before else ""

    @property
    def action(self) -> str:
        """Second word, if it is one."""
        return self.before[1] if len(self.before) > 1 and "=" not in self.before[1] else ""

    @cached_property
    def root(self) -> str:
        """The verb's root config; empty where it has none."""
        name = ROOTS.get(f"{self.verb} {self.action}", "train" if self.verb == "study" else self.verb)
        return name if (config_directory() / f"{name}.yaml").is_file() else ""

    @cached_property
    def composition(self) -> Composition:
        """The configuration so far."""
        return compose(self.root, self.given)

    @cached_property
    def choices(self) -> dict[str, list[str]]:
        """Choices of each group, of presets those of the verb."""
        return group_choices(*folders()) | {LAUNCHER: launchers()}


def candidates(line: Line) -> Known:
    """What can stand in place of a line's word: whole words; those that end in one of ``=./`` go on.

    Examples
    --------
    >>> list(candidates(Line(["train"], "model=beta")))
    ['model=beta_vae']
    >>> list(candidates(Line(["transfer", "source=trained"], "source.model.be")))
    ['source.model.beta=']
    """
    found = offered(line)
    return {text: note for text, note in found.items() if text.startswith(line.word)}


def offered(line: Line) -> Known:
    """Candidates, and perhaps others that begin otherwise."""
    if not line.before:
        verbs = {verb: about for verb, (_, about) in {**VERBS, **COMMANDS}.items()}
        return verbs if line.word[:1] != "-" else {"--help": "the verbs", "--version": "of this package"}
    if (value := option_value(line)) is not None:
        return value
    if line.word.startswith("-"):
        return options_of(line.verb)
    words = POSITIONS[line.verb](line) if line.verb in POSITIONS and "=" not in line.word else {}
    return words | (overrides(line) if line.root else {})


def option_value(line: Line) -> Known | None:
    """Values of the option that stands before the word; None where there is none that takes a value."""
    from micrographia.cli import LONG, SHOWN

    option = LONG.get(line.before[-1], line.before[-1])
    if option in ("--config-dir", "-cd"):
        return dict.fromkeys(files(line.word, folders_only=True), "")
    if option == "--package":
        return {key: "" for key, value in line.composition.keys.items() if isinstance(value, Mapping)}
    return dict.fromkeys(SHOWN[option], "") if option in SHOWN else None


def options_of(verb: str) -> Known:
    """Options of a verb."""
    own = OPTIONS if verb in VERBS else {"--cfg": OPTIONS["--cfg"], **dict.fromkeys(FLAGS.get(verb, ()), "")}
    return own | COMMON


def overrides(line: Line) -> Known:
    """Groups and keys, or the values of the one whose ``=`` is written."""
    if "=" in line.word:
        return assignments(line)
    sign = line.word[: len(line.word) - len(line.word.lstrip("+~"))]
    found = keys(line, line.word.lstrip("+~"), sign)
    if line.verb == "study":
        found = {"budget=": "how much is made", **{key: note for key, note in found.items() if is_execution(key)}}
    return {f"{sign}{text}": note for text, note in found.items()}


def keys(line: Line, begun: str, sign: str = "") -> Known:
    """Groups, and keys on the level that is being written; with the sign of an addition groups of the user's too."""
    made = line.composition
    parent, _, _ = begun.rpartition(".")
    if (top := parent.partition(".")[0]) in INPUTS and select(made.keys, parent) is None:
        made = compose(line.root, {**line.given, top: "trained"})  # the only one of its choices that has such keys
    groups = {**made.groups, **({LAUNCHER: LAUNCHER} if line.verb in (*VERBS, "study") else {})}
    found = {f"{group}=": made.notes.get(group, "") for group in groups}
    if sign:
        found |= {f"{group}@": "of your own, added where the key says" for group in own_groups()}
    node = select(made.keys, parent)
    for name, value in node.items() if isinstance(node, Mapping) and "@" not in begun else ():
        key = f"{parent}.{name}" if parent else str(name)
        if key == "task" or (str(name).startswith("_") and not begun.rpartition(".")[2].startswith("_")):
            continue
        if isinstance(value, Mapping) and value and all(str(inner).startswith("_") for inner in value):
            continue
        found[f"{key}." if isinstance(value, Mapping) and value else f"{key}="] = made.notes.get(key, "")
    return found


def assignments(line: Line) -> Known:
    """A key with its values, each behind those of a sweep that are written before it."""
    key, _, value = line.word.partition("=")
    former = value[: value.rfind(",") + 1]
    known = values(line, key.lstrip("+~"), value[len(former) :])
    used = former.split(",")
    return {f"{key}={former}{text}": note for text, note in known.items() if text not in used}


def values(line: Line, key: str, begun: str) -> Known:
    """Values of a group or a key."""
    group = line.composition.groups.get(key, key.partition("@")[0])
    if line.verb == "study" and key == "budget":
        return dict.fromkeys(budgets(line.action), "")
    if group == GROUP:
        return dict.fromkeys(presets(line.root), "")
    last = key.rpartition(".")[2]
    folder = line.given.get("how.paths.runs", "runs")
    known = (*line.composition.groups.values(), LAUNCHER, *EXECUTION, *own_groups())
    if group in line.choices and group in known:
        named = dict.fromkeys(line.choices[group], "")
        return named | (dict.fromkeys(runs(begun, folder, ["train"], [group]), "") if key in INPUTS else {})
    if last == RUN_KEY:
        tasks, kinds = TAKEN.get(line.verb, ANY) if key == RUN_KEY else (("train",), (key.split(".")[-2],))
        kinds = tuple(kind for kind in kinds if kind in INPUTS)
        return dict.fromkeys([*shipped(kinds), *runs(begun, folder, tasks, kinds)], "")
    if last in PLACES or key.startswith("how.paths."):
        return dict.fromkeys(files(begun), "")
    own = verb_values(COMMANDS[line.verb][0], key) if line.verb in COMMANDS else []
    return dict.fromkeys(own or values_of(key, line.composition.keys), "")


def shipped(kinds: Sequence[str]) -> list[str]:
    """Addresses of the runs that ship and can be one of some inputs; of any where none is named."""
    from micrographia.pretrained import pretrained_folder, pretrained_names

    names = pretrained_names()
    return [f"pretrained/{name}" for name in names if is_one_of(pretrained_folder(name), kinds)]


def budgets(study: str) -> Iterable[str]:
    """Budgets of a study."""
    file = study_files().get(study)
    return map(str, readable(file).get("budgets", {})) if file else ()


def studies(line: Line) -> Known:
    """Names of studies, and files of one's own."""
    if len(line.before) > 1:
        return {}
    questions = {name: str(readable(file).get("question", "")) for name, file in study_files().items()}
    return {"list": "what there is of each", **questions, **dict.fromkeys(files(line.word) if line.word else (), "")}


def sets(line: Line) -> Known:
    """What ``data`` does, then names of sets."""
    if not line.action:
        return dict.fromkeys(ACTIONS, "")
    if any("=" not in word for word in line.before[2:]):
        return {}
    return dict.fromkeys(public_sets() if line.action in ("list", "fetch") else line.choices["data"], "")


def public_sets() -> list[str]:
    """Names of the public sets, read from the catalogue's source, whose import takes a second."""
    files = (Path(__file__).parents[1] / "data" / "catalogue").glob("*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(files))
    return re.findall(r"PublicSet\(\s*name=\"([^\"]+)\"", text)


def reported(line: Line) -> Known:
    """Files and folders that a report is made of."""
    return dict.fromkeys(files(line.word), "")


def shells(line: Line) -> Known:
    """Shells that are known."""
    return {} if line.action else dict.fromkeys(SHELLS, "")


POSITIONS: dict[str, Callable[[Line], Known]] = {
    "study": studies,
    "data": sets,
    "report": reported,
    "completion": shells,
}
