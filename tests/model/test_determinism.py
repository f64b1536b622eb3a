from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pydantic import BaseModel

from acclimate.core.files import write_parquet
from acclimate.core.params import BaseParams, CommonParams, TrainDomainParams, TrainingParams, load
from acclimate.model.determinism import fix_randomness

CHECKOUT = Path(__file__).parents[2]
SCRIPT = """
import json, sys
from pathlib import Path
from acclimate.core.params import BaseParams, CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import base, train_domain

for number, (common, of_base, of_domain, training, general, dataset) in enumerate(json.loads(sys.argv[2])):
    root = Path(sys.argv[1]) / str(number)
    for folder in ("base", "train"):
        (root / folder).mkdir(parents=True)
    common = CommonParams.model_validate_json(common)
    base.run(BaseParams.model_validate_json(of_base), common, general=Path(general), out=root / "base")
    train_domain.run(TrainDomainParams.model_validate_json(of_domain), TrainingParams.model_validate_json(training),
                     common, base=root / "base", dataset=Path(dataset), out=root / "train",
                     general=Path(general), checkpoints=root / "checkpoints")
"""


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_equal_seeds_draw_equal_numbers_from_every_generator(common: CommonParams) -> None:
    fix_randomness(common)
    first = draw()
    fix_randomness(common)
    assert draw() == first
    fix_randomness(common.model_copy(update={"seed": common.seed + 1}))
    assert all(new != old for new, old in zip(draw(), first, strict=True))


def test_the_thread_count_is_the_dial_not_the_machines(common: CommonParams) -> None:
    fix_randomness(common.model_copy(update={"threads": 2}))
    assert torch.get_num_threads() == 2
    fix_randomness(common)
    assert torch.get_num_threads() == common.threads == 1


@pytest.mark.timeout(600)
def test_two_processes_write_the_same_bytes(
    common: CommonParams,
    base_params: BaseParams,
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    general: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    """On one thread a small model, on two the embedded one: how a sum is cut into threads depends on its size."""
    small = [common, base_params, domain_params, training_params]
    embedded = load(CHECKOUT / "params.yaml")
    few = {"steps": 2}
    whole = [
        embedded.common.model_copy(update={"threads": 2}),
        embedded.base.model_copy(update=few),
        embedded.train_domain.model_copy(update=few),
        embedded.training,
    ]
    many = many_words(tmp_path / "many.parquet")
    jobs = [[*dumped(small), str(general), str(dataset)], [*dumped(whole), str(many), str(dataset)]]
    runs = [tmp_path / "once", tmp_path / "again"]
    for root in runs:  # one after the other: four threads on two cores would wait for each other
        subprocess.run([sys.executable, "-c", SCRIPT, str(root), json.dumps(jobs)], check=True)
    once, again = ({path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")} for root in runs)
    assert once == again
    for job in ("0", "1"):
        written = {path.name for path in once if path.parts[0] == job}
        assert {"model.safetensors", "tokenizer.json", "adapter_model.safetensors"} <= written
    size = json.loads(once[Path("1/base/config.json")])
    assert (size["vocab_size"], size["hidden_size"]) == (embedded.base.vocabulary, embedded.base.hidden)


def dumped(params: Sequence[BaseModel]) -> list[str]:
    return [section.model_dump_json() for section in params]


def many_words(path: Path) -> Path:
    """General text in which a tokenizer finds a vocabulary as large as the embedded one's."""
    draw, letters = random.Random(0), "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(draw.choices(letters, k=6)) for _ in range(4_000)]
    texts = [" ".join(draw.choices(words, k=40)) for _ in range(200)]
    write_parquet(path, pa.table({"text": texts, "licence": ["PSF-2.0"] * len(texts)}))
    return path
