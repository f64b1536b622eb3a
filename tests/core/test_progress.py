import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

SLOW = """
import time
from acclimate.core import progress
progress.SECONDS = {delay}
for _ in progress.progress(range(5), "counting", unit="sheep"):
    time.sleep(0.1)
"""


def _on_a_terminal(code: str) -> str:
    """What a program prints on stderr if that is a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TQDM_DISABLE": "1"}
    program = subprocess.Popen([sys.executable, "-c", code], stderr=theirs, env=environment)
    os.close(theirs)
    printed = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # EIO: the other end is closed
            break
        if not block:
            break
        printed += block
    os.close(ours)
    assert program.wait(30) == 0
    return printed.decode()


def test_a_terminal_sees_rate_and_what_is_counted_even_where_libraries_are_told_to_be_quiet() -> None:
    printed = _on_a_terminal(SLOW.format(delay=0))
    assert "counting" in printed
    assert "sheep/s" in printed
    assert "/5" in printed


def test_what_is_quick_shows_nothing() -> None:
    assert "counting" not in _on_a_terminal(SLOW.format(delay=60))


def test_a_log_file_sees_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW.format(delay=0)], capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
