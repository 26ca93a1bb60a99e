"""The scripts, in the shells themselves."""

import resource
import shutil
import subprocess
import sys

import pytest

from micrographia.cli import command, main
from micrographia.completion.command import answer
from micrographia.completion.command_line import bash_line

# Completes each line of its input as at TAB, and prints the candidates of one in a line.
BASH = r"""
eval "$(micrographia completion bash)"
compopt() { COMPREPLY[0]+="<"; }  # no blank follows
while IFS= read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE} COMP_WORDS=(micrographia) COMPREPLY=()
    _micrographia
    printf '%s|' "${COMPREPLY[@]}"; echo
done
"""
ZSH = r"""
autoload -Uz compinit && compinit -u -D
eval "$(micrographia completion zsh)"
compadd() { print -rn -- "${@[(I)-S]:+}${@[$((${@[(i)--]} + 1)),-1]}|" }
words=(micrographia train model=be) CURRENT=3; _micrographia; print
words=(micrographia transfer source=trained source.model.be) CURRENT=4; _micrographia; print
"""
FISH = r"""
micrographia completion fish | source
complete -C "micrographia train model=be"
complete -C "micrographia transfer source=trained source.model.be"
"""


def in_shell(shell, script, lines=()):
    """Run a script in a shell and return the lines of its output."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    quiet = {"bash": ["--noprofile", "--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    run = subprocess.run(
        [shell, *quiet, "-c", script], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_bash(desk):
    (desk / "my images").mkdir()
    (desk / "micrographia_conf" / "model").mkdir(parents=True)
    (desk / "micrographia_conf" / "model" / "mine.yaml").write_text("name: mine\n")
    asked = {
        "micrographia transf": "transfer|",
        "micrographia train model=m": "mine|",  # bash ends words at =
        "micrographia train -m model=beta_vae,fac": "beta_vae,factor_vae|",
        "micrographia transfer source=trained source.model.be": "source.model.beta=<|",
        "micrographia train data.root=my": r"my\ images/<|",
        "micrographia train 'data.root=my": "data.root=my images/<|",
        "A=1 micrographia completion f": "fish|",
        "micrographia nothing ": "|",
    }
    assert dict(zip(asked, in_shell("bash", BASH, asked), strict=True)) == asked


def test_zsh(desk):
    assert in_shell("zsh", ZSH) == ["model=beta_vae|", "source.model.beta=|"]


def test_fish(desk):
    said = in_shell("fish", FISH)
    assert said[0] == "model=beta_vae"
    assert said[1].startswith("source.model.beta=\tweight of the KL term")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed(shell, capsys):
    assert command(["completion", shell]) == 0
    assert f"micrographia completion {shell}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["tcsh"], ["bash", "zsh"]])
def test_other_shells_are_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        main(["completion", *arguments])
    assert "name one of bash, zsh, fish" in capsys.readouterr().err


def test_words_behind_the_cursor_count(desk):
    text = "micrographia train model.ga model=factor_vae"
    line, _ = bash_line(text, len("micrographia train model.ga"))
    assert (line.before, line.word, line.given) == (["train"], "model.ga", {"model": "factor_vae"})
    assert answer("bash", str(len("micrographia train model.ga")), text) == ["model.gamma="]


def test_nothing_rather_than_an_error(desk):
    (desk / "micrographia_conf" / "model").mkdir(parents=True)
    (desk / "micrographia_conf" / "model" / "broken.yaml").write_text("a: [1")
    assert answer("bash", "34", "micrographia train model=broken mod")
    for asked in ("", "micrographia", "micrographia 'train ", "micrographia train seed=", "micrographia \\"):
        assert isinstance(answer("bash", str(len(asked)), asked), list)
    assert answer("zsh", "x") == []


def test_completion_imports_nothing_heavy_and_is_fast(desk):
    script = (
        "import sys; from micrographia.cli import main\n"
        "try: main(['completion', 'answer', 'bash', '99', 'micrographia transfer source=trained source.model.be'])\n"
        "except SystemExit: print(*sorted({'torch', 'hydra', 'omegaconf', 'numpy', 'rich'} & set(sys.modules)))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert said.splitlines() == ["source.model.beta=", ""]
    # A tenth of a second of one core where it was measured; other work on the machine does not count.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
