import ctypes
import signal
from collections.abc import Callable

import pytest

from acclimate.core.interrupts import heeding_interrupts


def _interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def _work(steps: list[str], disturb: Callable[[], None]) -> None:
    with heeding_interrupts():
        disturb()
        steps.append("went on")


def test_an_interrupt_ends_the_block_at_once() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _work(steps, _interrupt)
    assert steps == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_a_callback_from_c_swallows_ends_it_all_the_same() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _work(steps, ctypes.CFUNCTYPE(None)(_interrupt))
    assert steps == ["went on"], "ctypes passes it on now: this module may go"


def test_without_an_interrupt_nothing_happens_and_the_old_handler_is_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with heeding_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is before
