"""How vLLM's process is spoken to, with a toy in its place that is a real process too."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.serving.engine_process import EngineError
from acclimate.serving.engine_vllm import ByVllm, Vllm, _rank, _require_whole
from acclimate.serving.generation import Prompt, Row, nobody
from acclimate.serving.shared_base import Base
from acclimate.serving.vllm_process import Process

TOY = [sys.executable, "-I", str(Path(__file__).with_name("toy_vllm_worker.py"))]
LORA = {"peft_type": "LORA", "r": 16, "bias": "none", "use_rslora": True}


class Signed:
    """Whether files are still what was signed, and how often that was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.fault: Exception | None = None

    def __call__(self) -> None:
        self.asked += 1
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base, and beside it adapters that add 10 and 20."""
    for number in (10, 20):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "adapter.txt").write_text(str(number), encoding="utf-8")
        write_json(tmp_path / str(number) / "adapter_config.json", LORA)
    return tmp_path


@pytest.fixture
def signed() -> Signed:
    return Signed()


@pytest.fixture
def process(base: Path, signed: Signed) -> Iterator[Process]:
    process = Process(TOY, {"model": str(base), "window": 64, "ends": [1]}, {}, signed)
    yield process
    process.close()


def taken(row: Row, token: int) -> bool:
    row.written.append(token)
    return row.given_up or len(row.written) == row.prompt.max_new_tokens


def written(engine: Vllm, *rows: Row) -> list[list[int]]:
    engine.write([*rows], taken, nobody)
    return [row.written for row in rows]


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def owned(engine: Vllm, prompt: Prompt) -> Row:
    model: Any = SimpleNamespace(engine=engine)
    return Row(prompt, model=model)


def test_rows_of_several_adapters_are_written_side_by_side_each_by_its_own(process: Process, base: Path) -> None:
    ten, twenty = (Vllm(process, process.load(base / name, Signed())) for name in ("10", "20"))
    alone = Vllm(process)
    assert ten.beside is twenty.beside is alone.beside
    rows = [owned(engine, Prompt([5], 2)) for engine in (alone, ten, twenty)]
    assert written(ten, *rows) == [[6, 7], [16, 27], [26, 47]]
    assert written(twenty, Row(Prompt([5], 1)), Row(Prompt([], 1))) == [[26], [22]]


def test_who_comes_meanwhile_joins_and_who_is_complete_leaves(process: Process) -> None:
    late = Row(Prompt([50], 1))
    more = iter([[late]])
    row = Row(Prompt([5], 3))
    Vllm(process).write([row], taken, lambda: next(more, []))
    assert (row.written, late.written) == ([6, 7, 8], [51])


def test_an_adapter_that_cannot_be_loaded_is_told_and_the_others_go_on(process: Process, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="vLLM cannot load the adapter: it is of wax"):
        process.load(tmp_path, Signed())
    assert written(Vllm(process), Row(Prompt([5], 1))) == [[6]]


def test_if_the_process_ends_who_waits_is_told_and_the_next_is_answered_by_adapters_shown_once_more(
    process: Process, base: Path, signed: Signed
) -> None:
    of_ten = Signed()
    ten = Vllm(process, process.load(base / "10", of_ten))
    before = process.pid

    def kill(_: Row, __: int) -> bool:
        os.kill(before, signal.SIGKILL)
        return False

    with pytest.raises(EngineError, match="vLLM ended by SIGKILL: it said nothing"):
        ten.write([Row(Prompt([5], 3))], kill, nobody)
    assert written(ten, Row(Prompt([5], 1))) == [[16]]
    assert process.pid != before
    assert (signed.asked, of_ten.asked) == (1, 1)


def test_it_is_started_again_at_once_while_nobody_waits(process: Process) -> None:
    before = process.pid
    os.kill(before, signal.SIGKILL)
    until(lambda: process.pid != before)


def test_files_that_are_no_longer_what_was_signed_are_not_read_again(process: Process, signed: Signed) -> None:
    signed.fault = EngineError("a byte was changed")
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: signed.asked == 1)
    with pytest.raises(EngineError, match="a byte was changed"):
        written(Vllm(process), Row(Prompt([5], 1)))
    signed.fault = None
    assert written(Vllm(process), Row(Prompt([5], 1))) == [[6]]


def test_a_base_that_cannot_be_read_is_told_with_what_the_process_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"vLLM ended with status 1: there is no .*absent"):
        Process(TOY, {"model": str(tmp_path / "absent"), "window": 64, "ends": [1]}, {}, Signed())


def test_one_thread_loads_while_another_waits_for_its_answer(process: Process, base: Path) -> None:
    never = Row(Prompt([5], 9))  # the toy writes three tokens of it, and no more
    thread = threading.Thread(target=Vllm(process).write, args=([never], taken, nobody))
    thread.start()
    until(lambda: len(never.written) == 3)
    number = process.load(base / "10", Signed())
    assert written(Vllm(process, number), Row(Prompt([5], 1))) == [[16]]
    assert thread.is_alive()
    never.given_up = True
    written(Vllm(process), Row(Prompt([5], 1)))  # has the toy write on
    thread.join(60)
    assert not thread.is_alive()


def test_an_adapter_goes_with_its_engine_and_the_process_with_the_last_who_refers_to_it(base: Path) -> None:
    process = Process(TOY, {"model": str(base), "window": 64, "ends": [1]}, {}, Signed())
    held = Base(process, None, "a" * 64, {})
    manifest = {"max_prompt_tokens": 40, "max_new_tokens": 24}
    engine = ByVllm(Path(sys.executable), 4).on_base(held, manifest, base / "10", Signed())
    assert [*process._adapters] == [engine.adapter]
    del engine
    assert process._adapters == {}
    pid = process.pid
    del process, held
    gc.collect()
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_model_that_needs_more_room_than_the_first_on_its_base_is_refused(process: Process) -> None:
    held = Base(process, None, "a" * 64, {})
    manifest = {"max_prompt_tokens": 41, "max_new_tokens": 24}
    with pytest.raises(UserError, match="65 tokens are to be read and written, and vLLM keeps 64 a text"):
        ByVllm(Path(sys.executable), 4).on_base(held, manifest, None, Signed())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"use_dora": True}, "use_dora: True"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias: all"),
        ({"r": 513}, "r: 513"),
        ({"peft_type": "VERA"}, "peft_type: VERA"),
    ],
)
def test_what_vllm_would_leave_out_of_an_adapter_is_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    write_json(tmp_path / "adapter_config.json", LORA)
    assert _rank(tmp_path) == 16
    write_json(tmp_path / "adapter_config.json", LORA | change)
    with pytest.raises(UserError, match=told):
        _rank(tmp_path)


def test_packed_weights_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "config.json", {"quantization_config": {"quant_method": "gptq"}})
    with pytest.raises(UserError, match="packed in few bits"):
        _require_whole(tmp_path)
