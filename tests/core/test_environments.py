"""An environment counts as made if it is whole, and of the requirements that are asked for now."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from acclimate.core.environments import made, make


def test_an_environment_that_pip_could_not_fill_is_none_and_says_why(tmp_path: Path) -> None:
    home, requirements = tmp_path / "engines/spark", tmp_path / "spark.txt"
    requirements.write_text("./no-such-folder\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        make(home, requirements)
    assert "no-such-folder" in failed.value.output
    assert made(home, requirements) is None


def test_an_environment_of_other_requirements_is_none(tmp_path: Path) -> None:
    home, requirements = tmp_path / "spark", tmp_path / "spark.txt"
    home.mkdir()
    requirements.write_text("pyspark==4.3.0\n", encoding="utf-8")
    (home / ".installed").write_text("pyspark==4.3.0\n", encoding="utf-8")
    assert made(home, requirements) == home / "bin/python"
    assert make(home, requirements) == home / "bin/python"
    requirements.write_text("pyspark==4.3.1\n", encoding="utf-8")
    assert made(home, requirements) is None
