"""What one form costs and can do: memory, score on the cloze items of the test set, speed.

    measured = measure_apart("gguf-q8_0", folder, score, common, tokenizer=…, evaluation=…, out=…)
    measured.memory_bytes, measured.speed.tokens_per_second      # 2_934_112, 812.4

Memory is that of the weights once they are loaded, so that two equal runs say the same: a GPTQ model is unpacked to
float32 on a CPU (release/weights.py), a GGUF file is computed with as it is stored. Speed is a machine's own, and goes
to timings/.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.core.files import read_json, read_jsonl
from acclimate.core.params import CommonParams, ScoreParams
from acclimate.model.adapter import load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.device import on_device
from acclimate.model.generation import complete
from acclimate.model.harness import WINDOW_TOKENS, Engine, engine_model, language_model
from acclimate.model.score import CLOZE_TASKS, Summary, score_with
from acclimate.release.forms.apart import Failed, answer, apart
from acclimate.release.forms.llama_cpp import LlamaCpp
from acclimate.release.weights import GGUF, load_model

PROMPTS = 8
"""Texts that are gone on with against the clock, one at a time and then all at once."""
NEW_TOKENS = 16
"""Written after each, whatever they are: no form is quick because it has less to say."""
SPEEDS = "forms.json"
"""In the folder of timings: form to its speed."""

Complete = Callable[[Sequence[list[int]]], list[list[int]]]
"""Prompts to the `NEW_TOKENS` tokens after each."""


@dataclass(frozen=True)
class Speed:
    """Of one form on one machine."""

    latency_p50_ms: float
    """Of one prompt alone, until `NEW_TOKENS` tokens are written."""
    tokens_per_second: float
    """Of `PROMPTS` prompts together."""


@dataclass(frozen=True)
class Cost:
    """What a model takes once it is loaded, and how quick it is where that was asked."""

    memory_bytes: int
    speed: Speed | None


@dataclass(frozen=True)
class Measured:
    """What a process apart found."""

    memory_bytes: int
    """Of the weights once they are loaded."""
    tasks: dict[str, Summary]
    speed: Speed


def measure_apart(
    form: str,
    folder: Path,
    params: ScoreParams,
    common: CommonParams,
    *,
    tokenizer: Path,
    evaluation: Path,
    out: Path,
    tasks: Sequence[str] = CLOZE_TASKS,
) -> Measured | Failed:
    """Measure the form in `folder` in a process of its own; rows of the items go to `out`.

    Args:
        form: its name.
        folder: where it is.
        params: how many items, and how they are scored.
        common: seed and threads.
        tokenizer: the folder of the merged model, whose tokenizer and window it shares.
        evaluation: the items.
        out: for the per-item results.
        tasks: that it is scored on.
    """
    done = apart(
        "acclimate.release.forms.measuring",
        {
            **{"form": form, "folder": str(folder), "tokenizer": str(tokenizer)},
            **{"evaluation": str(evaluation), "out": str(out), "tasks": list(tasks)},
            **{"params": params.model_dump(mode="json"), "common": common.model_dump(mode="json")},
        },
    )
    if isinstance(done, Failed):
        return done
    return Measured(done["memory_bytes"], done["tasks"], Speed(**done["speed"]))


def measure(
    *,
    form: str,
    folder: str,
    tokenizer: str,
    evaluation: str,
    out: str,
    tasks: list[str],
    params: dict[str, Any],
    common: dict[str, Any],
) -> dict[str, Any]:
    """`measure_apart`, in that process."""
    dials, shared = ScoreParams.model_validate(params), CommonParams.model_validate(common)
    fix_randomness(shared)
    items, rows = Path(evaluation), Path(out)
    if form.startswith("gptq-"):
        model, words = load_model(Path(folder))
        lm = language_model(on_device(model), words, dials.batch_items)
        scored = score_with(lm, items, dials, rows, seed=shared.seed, names=tasks)
        return asdict(Measured(weights_in_memory(model), scored, model_speed(model, words, items)))
    words = load_tokenizer(Path(tokenizer))
    config = read_json(Path(tokenizer) / "config.json")
    window = min(config["max_position_embeddings"], WINDOW_TOKENS)
    llama = LlamaCpp(Path(folder) / GGUF, threads=shared.threads, window=window)
    engine = Engine(window=window, choices=llama.choices, windows=llama.windows, complete=llama.complete)
    scored = score_with(engine_model(engine, words), items, dials, rows, seed=shared.seed, names=tasks)
    written = partial(llama.complete, max_new_tokens=NEW_TOKENS)
    return asdict(Measured(llama.weight_bytes, scored, speed(written, prompts(words, items, window))))


def weights_in_memory(model: Any) -> int:
    """Bytes of a transformers model's parameters and buffers; what layers share counts once."""
    tensors = [*model.parameters(), *model.buffers()]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def model_speed(model: Any, tokenizer: Any, evaluation: Path) -> Speed:
    """The speed of a transformers model."""
    window = min(model.config.max_position_embeddings, WINDOW_TOKENS)
    padding = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.bos_token_id
    before = model.generation_config.min_new_tokens
    model.generation_config.min_new_tokens = NEW_TOKENS

    def written(tokens: Sequence[list[int]]) -> list[list[int]]:
        return complete(model, tokens, stops=[padding], max_new_tokens=NEW_TOKENS, batch_items=len(tokens))

    measured = speed(written, prompts(tokenizer, evaluation, window))
    model.generation_config.min_new_tokens = before
    return measured


def prompts(tokenizer: Any, evaluation: Path, window: int) -> list[list[int]]:
    """The left contexts of the first items of the domain, cut so that there is room for what is written."""
    items = read_jsonl(evaluation / "domain_cloze.jsonl")[:PROMPTS]
    encoded: list[list[int]] = tokenizer([item["left"] for item in items])["input_ids"]
    return [tokens[-(window - NEW_TOKENS) :] for tokens in encoded]


def speed(written: Complete, asked: Sequence[list[int]]) -> Speed:
    """Time `written` on every prompt alone, and on all of them together."""

    def seconds(tokens: Sequence[list[int]]) -> float:
        started = time.perf_counter()
        done = written(tokens)
        assert all(len(new) == NEW_TOKENS for new in done), "a text that ended early"
        return time.perf_counter() - started

    seconds(asked[:1])  # the first call pays for memory and kernels that later ones find ready
    alone = [1000 * seconds([tokens]) for tokens in asked]
    together = NEW_TOKENS * len(asked) / seconds(asked)
    return Speed(round(float(np.quantile(alone, 0.5)), 1), round(together, 1))


if __name__ == "__main__":
    raise SystemExit(answer(measure))
