import sys

import pytest


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder, in which this process is, and ``micrographia`` on the path of shells."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MICROGRAPHIA_CONF", raising=False)
    program = tmp_path / ".bin" / "micrographia"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m micrographia "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return tmp_path
