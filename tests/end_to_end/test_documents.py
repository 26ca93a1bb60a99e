"""Every command that README and guide name composes; those of the quick start run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from micrographia.cli import command

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(document):
    """Commands in code blocks and in inline code that start with ``micrographia``."""
    text = document.read_text()
    found = re.findall(r"^\s*(micrographia [^\n`]+?)(?:\s+#.*)?$", text, re.M)
    found += re.findall(r"`(micrographia [^`]+)`", text)
    return [line for line in dict.fromkeys(found) if "--help" not in line and "<" not in line]


NAMED = [(document.name, line) for document in DOCUMENTS for line in commands(document)]


def test_the_documents_name_commands():
    assert len([line for name, line in NAMED if name == "README.md"]) >= 8


@pytest.mark.parametrize(("document", "line"), NAMED, ids=[f"{name}: {line}" for name, line in NAMED])
def test_every_named_command_composes(document, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line.replace("PATH", str(tmp_path)))[1:]
    sweeping = "-m" in words
    # A sweep's lists are no single values: compose its first job.
    words = [re.sub(r"^([^=\[]+=[^\[{,]+),.*$", r"\1", word) if sweeping else word for word in words if word != "-m"]
    assert command([*words, *([] if "--cfg" in words else ["--cfg", "job"])]) == 0
    assert "task:" in capsys.readouterr().out


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, re.M), target


def example(document):
    """Blocks of Python code, one after the other."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", document.read_text(), re.M | re.S))


@pytest.mark.parametrize(
    "code", [pytest.param(code, id=document.name) for document in DOCUMENTS if (code := example(document))]
)
def test_every_example_runs(code, tmp_path):
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
