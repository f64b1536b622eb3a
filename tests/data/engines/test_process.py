"""An engine's process: its steps, its complaint, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.data.engines.process import complaint, run

# Like a JVM with its workers: a process below the one that is started, in a session of its own.
LINGERING = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))


def test_an_engine_that_ends_well_leaves_nothing_running(tmp_path: Path) -> None:
    run(
        "spark",
        [sys.executable, "-c", LINGERING, str(tmp_path / "pid"), "0"],
        dict(os.environ),
        files=1,
        scratch=tmp_path,
    )
    assert _gone(tmp_path / "pid")


def test_a_failure_names_the_exception_and_keeps_all_that_was_said(tmp_path: Path) -> None:
    code = "import sys; print('a warning', file=sys.stderr); raise ValueError('no such column: text')"
    with pytest.raises(UserError) as failed:
        run("spark", [sys.executable, "-c", code], dict(os.environ), files=1, scratch=tmp_path)
    kept = tmp_path / ".acclimate/logs/dedup-spark.log"
    assert failed.value.what == "the engine 'spark' ended with status 1: ValueError: no such column: text"
    assert str(kept) in failed.value.fix
    assert kept.read_text().startswith("a warning\nTraceback")


def test_the_exception_is_told_from_what_java_says_around_it() -> None:
    said = (
        "26/11/21 WARN NativeCodeLoader: Unable to load native-hadoop library\n"
        "Traceback (most recent call last):\n"
        '  File "job.py", line 3, in <module>\n'
        "    main()\n"
        "pyspark.errors.AnalysisException: [PATH_NOT_FOUND] Path does not exist: file:/nowhere.\n"
        "\tat org.apache.spark.sql.Dataset\n"
        "26/11/21 WARN JavaUtils: Attempt to delete failed\n"
    )
    assert complaint(said) == "pyspark.errors.AnalysisException: [PATH_NOT_FOUND] Path does not exist: file:/nowhere."
    assert complaint("Killed\n") == "Killed"
    assert complaint("") == "it said nothing"


def test_ctrl_c_ends_the_engine_and_all_below_it(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from acclimate.data.engines.process import run\n"
        "command = [sys.executable, '-c', sys.argv[1], sys.argv[2], '600']\n"
        "run('spark', command, dict(os.environ), files=1, scratch=Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, LINGERING, str(tmp_path / "pid"), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as stage:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            assert stage.poll() is None
            time.sleep(0.02)
        stage.send_signal(signal.SIGINT)
        said = stage.communicate()[1]
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert _gone(tmp_path / "pid")


def _gone(written: Path) -> bool:
    return not Path(f"/proc/{int(written.read_text())}").exists()
