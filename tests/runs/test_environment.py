import subprocess

from micrographia.runs.environment import command, commanded, words_of


def test_a_recorded_command_can_be_pasted_into_a_shell():
    overrides = ["data.root=my images", "data.channels=[DNA,2]", "~probes.mlp", "data.label='a b'"]
    with commanded("transfer", overrides):
        recorded = command()
    assert words_of(recorded) == ["micrographia", "transfer", *overrides]
    told = subprocess.run(["sh", "-c", f"printf '%s\\n' {recorded}"], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == words_of(recorded)
