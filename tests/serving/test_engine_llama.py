"""llama.cpp behind the interface of engines: a real GGUF file, a real process beside this one."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acclimate.core.files import write_json
from acclimate.core.params import load as load_params
from acclimate.release.forms.llama_cpp import LlamaCpp as Measured
from acclimate.release.forms.making import make_apart
from acclimate.release.keys import signing_key, trusted_key
from acclimate.release.signing import PINNED, sign
from acclimate.serving import engine_llama
from acclimate.serving.engine_llama import SEQUENCES, LlamaCpp
from acclimate.serving.engine_process import EngineError
from acclimate.serving.generation import Completion, Prompt, Row, complete, nobody
from acclimate.serving.models import Model, load
from acclimate.serving.state import Packaged

QUESTION = "Question: What does numpy.argsum do?\nAnswer:"
LIMITS = {"max_prompt_tokens": 96, "max_new_tokens": 32, "threads": 1}


@pytest.fixture(scope="module")
def packaged(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    """The tiny model as GGUF in a folder, signed with a key that is pinned."""
    folder = tmp_path_factory.mktemp("packaged")
    params, merged = load_params(finished_run / "params.yaml"), finished_run / "artifacts/quantize/merged"
    made = make_apart("gguf-f16", params.quantize, params.common, merged=merged, texts=["Return it."], out=folder)
    assert made.failure is None
    (folder / "gguf-f16").rename(folder / "model")
    write_json(folder / "manifest.json", {"model": "m", "version": "1", "sha256": "a" * 64, **LIMITS})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(tmp_path_factory.mktemp("home")))
        sign(folder, signing_key())
        patch.setenv(PINNED, str(trusted_key()))
        yield Packaged(version="1", folder=folder, sha256="a" * 64)


@pytest.fixture(scope="module")
def model(packaged: Packaged) -> Iterator[Model]:
    model = load(packaged)
    yield model
    model.engine.close()


@pytest.fixture
def engine(packaged: Packaged) -> Iterator[LlamaCpp]:
    """One to be maltreated."""
    engine = LlamaCpp(packaged.folder / "model/model.gguf", window=128, threads=1, ends=frozenset())
    yield engine
    engine.close()


def completed(model: Model, *prompts: Prompt) -> list[Completion]:
    return complete(model, [Row(prompt) for prompt in prompts])


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def pid_of(engine: LlamaCpp) -> int:
    return engine._worker.process.pid


def test_it_answers_what_the_measuring_of_forms_says(model: Model, packaged: Packaged) -> None:
    measured = Measured(packaged.folder / "model/model.gguf", threads=1, window=128)
    prompts = [model.tokens(text) for text in (QUESTION, "numpy", "Return the size of")]
    expected = measured.complete(prompts, stops=sorted(model.ends), max_new_tokens=20)
    rows = [Row(Prompt(tokens, 20)) for tokens in prompts]
    complete(model, rows)
    assert [row.written for row in rows] == expected
    assert all(row.written for row in rows)


def test_each_text_beside_others_is_what_it_is_alone(model: Model) -> None:
    prompts = [Prompt(model.tokens(QUESTION)[: 3 + n], 2 + n % 5) for n in range(SEQUENCES + 3)]
    together = completed(model, *prompts)
    assert [answer.new_tokens for answer in together] == [prompt.max_new_tokens for prompt in prompts]
    assert together == [completed(model, prompt)[0] for prompt in prompts]


def test_the_tokens_of_a_long_prompt_are_read_in_pieces_and_none_is_lost(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt(model.tokens("numpy " * 40)[:96], 4)] * SEQUENCES  # more than one step reads
    assert sum(len(prompt.tokens) for prompt in prompts) > 2 * 512
    assert set(completed(model, *prompts)) == set(completed(model, prompts[0]))


def test_text_is_told_as_it_is_written_and_ends_before_a_stop_string(model: Model) -> None:
    prompt = Prompt(model.tokens(QUESTION), 24, temperature=2.0, seed=1)
    (whole,) = completed(model, prompt)
    stop = whole.text[-6:-2]
    pieces: list[str] = []
    (answer,) = complete(model, [Row(replace(prompt, stop=(stop,)), pieces.append)])
    assert answer.finish_reason == "stop"
    assert "".join(pieces) == answer.text == whole.text[: whole.text.index(stop)]
    assert len(pieces) > 1


def test_a_seed_gives_the_same_draw_again_and_another_seed_another(model: Model) -> None:
    tokens = model.tokens(QUESTION)
    drawn = [completed(model, Prompt(tokens, 24, temperature=2.0, seed=seed))[0].text for seed in (1, 1, 2, -1)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3
    assert len({completed(model, Prompt(tokens, 24, temperature=2.0))[0].text for _ in range(2)}) == 2


@pytest.mark.parametrize(("temperature", "top_p"), [(8e-215, 1.0), (5e-324, 1.0), (1.0, 5e-324), (1.0, 1e-6)])
def test_however_small_the_dials_the_likeliest_token_is_drawn(model: Model, temperature: float, top_p: float) -> None:
    tokens = model.tokens(QUESTION)
    greedy = completed(model, Prompt(tokens, 8))
    assert completed(model, Prompt(tokens, 8, temperature, top_p)) == greedy


def test_who_comes_while_others_are_written_joins_them_and_is_written_the_same(packaged: Packaged) -> None:
    engine = LlamaCpp(packaged.folder / "model/model.gguf", window=4096, threads=1, ends=frozenset())
    long, late, alone = Row(Prompt([0, 5], 4000)), Row(Prompt([0, 7, 9], 4)), Row(Prompt([0, 7, 9], 4))
    arrived = [late]

    def take(row: Row, token: int) -> bool:
        row.written.append(token)
        return len((late if row is long else row).written) == 4  # the long one goes on for as long as the late one

    engine.write([long], take, lambda: [arrived.pop()] if arrived and long.written else [])
    assert 4 < len(long.written) < 4000
    engine.write([alone], take, nobody)
    assert late.written == alone.written
    engine.close()


def test_who_gives_up_ends_the_writing_and_the_others_go_on(model: Model) -> None:
    row, other = Row(Prompt(model.tokens("numpy"), 32), given_up=True), Row(Prompt(model.tokens("numpy"), 32))
    complete(model, [row, other])
    assert (len(row.written), len(other.written)) == (0, 32)


def test_what_fails_here_leaves_nothing_behind_there(engine: LlamaCpp) -> None:
    def fail(_: Row, __: int) -> bool:
        raise ValueError("no such character")

    with pytest.raises(ValueError, match="no such character"):
        engine.write([Row(Prompt([0, 5], 100)) for _ in range(SEQUENCES)], fail, nobody)
    row = Row(Prompt([0, 5], 3))
    engine.write([row], written(3), nobody)
    assert len(row.written) == 3


def test_if_the_process_ends_who_waits_is_told_how_and_the_next_is_answered(engine: LlamaCpp) -> None:
    before = pid_of(engine)

    def kill(_: Row, __: int) -> bool:
        os.kill(before, signal.SIGKILL)
        return False

    with pytest.raises(EngineError, match=r"llama\.cpp ended by SIGKILL: it said nothing"):
        engine.write([Row(Prompt([0, 5], 100))], kill, nobody)
    row = Row(Prompt([0, 5], 3))
    engine.write([row], written(3), nobody)
    assert (len(row.written), alive(before), alive(pid_of(engine))) == (3, False, True)


def test_if_it_ends_while_nobody_waits_nobody_is_told(engine: LlamaCpp) -> None:
    os.kill(pid_of(engine), signal.SIGKILL)
    engine._worker.process.wait()
    row = Row(Prompt([0, 5], 3))
    engine.write([row], written(3), nobody)
    assert len(row.written) == 3


def test_a_file_that_was_changed_meanwhile_is_not_read_again(packaged: Packaged, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(packaged.folder, tmp_path / "packaged"))
    model = load(packaged.model_copy(update={"folder": folder}))
    assert isinstance(model.engine, LlamaCpp)
    os.kill(pid_of(model.engine), signal.SIGKILL)
    model.engine._worker.process.wait()
    content = bytearray((folder / "model/model.gguf").read_bytes())
    content[-1] ^= 1
    (folder / "model/model.gguf").write_bytes(content)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"not what was approved: .*model/model\.gguf was changed"):
            completed(model, Prompt(model.tokens("numpy"), 4))
    content[-1] ^= 1
    (folder / "model/model.gguf").write_bytes(content)
    assert completed(model, Prompt(model.tokens("numpy"), 4))[0].new_tokens == 4
    model.engine.close()


def test_a_prompt_without_tokens_is_answered_too(engine: LlamaCpp) -> None:
    rows = [Row(Prompt([], 3)), Row(Prompt([0, 5], 3))]
    engine.write(rows, written(3), nobody)
    assert [len(row.written) for row in rows] == [3, 3]


def test_a_process_that_is_stuck_while_nobody_waits_is_ended(engine: LlamaCpp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_llama, "STUCK_SECONDS", 0.5)
    row, stuck = Row(Prompt([0, 5], 100)), pid_of(engine)
    os.kill(stuck, signal.SIGSTOP)
    threading.Timer(2.0, lambda: setattr(row, "given_up", True)).start()
    with pytest.raises(EngineError, match="ended by SIGKILL"):
        engine.write([row], written(100), nobody)
    assert row.given_up


def test_what_is_told_to_all_processes_of_the_service_does_not_end_it(engine: LlamaCpp) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(pid_of(engine), number)
    row = Row(Prompt([0, 5], 3))
    engine.write([row], written(3), nobody)
    assert len(row.written) == 3


def test_it_goes_with_the_last_who_refers_to_it(packaged: Packaged) -> None:
    model = load(packaged)
    assert isinstance(model.engine, LlamaCpp)
    pid = pid_of(model.engine)
    del model
    gc.collect()
    deadline = time.monotonic() + 60
    while alive(pid):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.05)


def test_a_file_that_llama_cpp_cannot_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF no more")
    with pytest.raises(EngineError, match=r"llama\.cpp ended with status 1: .*model\.gguf is too small"):
        LlamaCpp(tmp_path / "model.gguf", window=64, threads=1, ends=frozenset())


def test_a_gguf_model_is_served_without_torch(packaged: Packaged) -> None:
    code = f"""
import sys
from pathlib import Path
sys.modules["torch"] = None
from acclimate.serving.models import load, packaged_in
from acclimate.serving.generation import Prompt, Row, complete
model = load(packaged_in(Path({str(packaged.folder)!r})))
print(complete(model, [Row(Prompt(model.tokens("numpy"), 4))])[0].new_tokens)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "4\n", done.stderr


def written(most: int) -> Callable[[Row, int], bool]:
    def take(row: Row, token: int) -> bool:
        if row.given_up:
            return True
        row.written.append(token)
        return len(row.written) == most

    return take


def test_that_it_is_stuck_is_noticed_though_others_keep_coming(
    engine: LlamaCpp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_llama, "STUCK_SECONDS", 0.5)
    first, come = Row(Prompt([0, 5], 100)), list[Row]()

    def more() -> list[Row]:
        come.append(Row(Prompt([0, 5], 3)))
        return come[-1:]

    os.kill(pid_of(engine), signal.SIGSTOP)
    threading.Timer(2.0, lambda: setattr(first, "given_up", True)).start()
    with pytest.raises(EngineError, match="ended by SIGKILL"):
        engine.write([first], written(100), more)
    assert come
    assert not any(row.given_up for row in come)
