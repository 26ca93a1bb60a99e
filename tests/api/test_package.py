import subprocess
import sys
from pathlib import Path

import pytest

import micrographia as mg


def test_the_package_is_imported_at_once():
    code = "import sys, micrographia; print(micrographia.__version__, {'torch', 'hydra', 'pandas'} & {*sys.modules})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == f"{mg.__version__} set()\n"


def test_every_name_is_there_and_described():
    assert dir(mg) == sorted([*mg.__all__, "__version__"])
    for name in mg.__all__:
        assert getattr(mg, name).__doc__, name
        assert name in vars(mg)  # imported once


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'tarin'"):
        mg.tarin  # noqa: B018


def test_no_name_is_that_of_a_package():
    places = {path.stem for path in Path(mg.__file__).parent.iterdir()}
    assert not places & set(mg.__all__)
