"""``micrographia doctor``: what is installed, found and set here, and what to do about it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from micrographia.diagnosis.finding import Finding, without_home, worst
from micrographia.errors import UserError
from micrographia.tasks.composing import composed_for, print_config, without_show
from micrographia.verbs import FLAGS

# What commands have by themselves, for the rest of a diagnosis where they cannot be composed.
DEFAULTS: Mapping[str, Any] = {
    "accelerator": "auto",
    "threads": None,
    "workers": 0,
    "paths": {"runs": "runs", "data": "data", "cache": "~/.cache/micrographia"},
}


def doctor_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia doctor [--json] [how.key=value ...]`` and return the exit status.

    Returns
    -------
    2 if something is broken that every command needs, else 0.

    Raises
    ------
    UserError
        If an option or a key is unknown.
    """
    if {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    words, shown = without_show(arguments)
    words = [word for word in words if word not in FLAGS["doctor"]]
    if stray := next((word for word in words if "=" not in word or word.startswith("-")), None):
        raise UserError(
            f"{stray}: doctor takes --json, --cfg job at the end, and keys of how, as how.paths.runs=FOLDER."
        )
    if shown:
        print_config("doctor", {"how": execution(words)})
        return 0
    from micrographia.diagnosis.showing import as_json, show

    findings = list(diagnosis(words))
    if "--json" in arguments:
        print(as_json(findings))
    else:
        show(findings)
    return 2 if worst(findings) == "broken" else 0


def overview() -> str:
    """Text of ``micrographia doctor --help``."""
    return (
        "micrographia doctor: what is installed, found and set here, and what to do about it\n\n"
        "  micrographia doctor [--json] [how.key=value ...]\n\n"
        "--json         the same as JSON, to be sent with a report of a bug; the home folder is ~ in it, and it holds\n"
        "               no keys or passwords\n"
        "how.key=value  look with these settings: how.paths.runs=FOLDER, how.threads=4, how.accelerator=gpu\n\n"
        "It asks nothing of the network, and changes nothing. The exit status is 2 if something is broken that every\n"
        "command needs, else 0."
    )


def execution(overrides: Sequence[str]) -> dict[str, Any]:
    """How commands are executed here."""
    return composed_for("doctor", overrides)[1]


def diagnosis(overrides: Sequence[str]) -> Iterator[Finding]:
    """Everything that is looked at; what is heavy is imported by another process in the meantime."""
    from micrographia.diagnosis.probe import Probe

    probe = Probe.start()
    try:
        yield from found_beside(probe, overrides)
    finally:
        probe.process.kill()


def found_beside(probe: Any, overrides: Sequence[str]) -> Iterator[Finding]:
    """The findings of this process, and of the one beside it."""
    from micrographia.diagnosis.machine import machine_findings, shared_memory_finding, thread_findings
    from micrographia.diagnosis.packages import extra_findings, package_findings
    from micrographia.diagnosis.settings import config_findings, data_findings, wandb_finding
    from micrographia.diagnosis.storage import storage_findings

    how, mistakes = looked_at(overrides)
    before = [*package_findings()]
    after = [*storage_findings(how["paths"]), shared_memory_finding(how["workers"])]
    after += [*config_findings(), *mistakes, *data_findings(how["paths"]), wandb_finding(), *extra_findings()]
    probe.finish()
    heavy = list(probe.findings(how))
    threads = (probe.answers.get("torch") or {}).get("threads")
    found = [*before, *heavy, *machine_findings(), *thread_findings(how, threads), *after]
    sections = ("versions", "devices", "machine", "threads", "storage", "settings", "shipped models", "optional parts")
    for section in sections:
        yield from (finding for finding in found if finding is not None and finding.section == section)


def looked_at(overrides: Sequence[str]) -> tuple[Mapping[str, Any], list[Finding]]:
    """How commands are executed here; where no command can be composed, our defaults and why."""
    try:
        return execution(overrides), []
    except UserError as error:
        if overrides:
            raise
        said = without_home(str(error))
        advice = "No command can be composed. Mend that first."
        return DEFAULTS, [Finding("settings", "configuration", said, "broken", advice)]
