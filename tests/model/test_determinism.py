from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from acclimate.core.params import BaseParams, CommonParams, TrainDomainParams, TrainingParams
from acclimate.model.determinism import fix_randomness

SCRIPT = """
import hashlib, sys
from pathlib import Path
from acclimate.core.params import BaseParams, CommonParams, TrainDomainParams, TrainingParams
from acclimate.model import base, train_domain

root = Path(sys.argv[1])
common = CommonParams.model_validate_json(sys.argv[2])
base.run(BaseParams.model_validate_json(sys.argv[3]), common, general=Path(sys.argv[6]), out=root / "base")
train_domain.run(TrainDomainParams.model_validate_json(sys.argv[4]), TrainingParams.model_validate_json(sys.argv[5]),
                 common, base=root / "base", dataset=Path(sys.argv[7]), out=root / "train",
                 general=Path(sys.argv[6]), checkpoints=root / "checkpoints")
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


@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_write_the_same_bytes(
    threads: int,
    common: CommonParams,
    base_params: BaseParams,
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    general: Path,
    dataset: Path,
    tmp_path: Path,
) -> None:
    params = [common.model_copy(update={"threads": threads}), base_params, domain_params, training_params]
    given = [section.model_dump_json() for section in params]
    runs = [tmp_path / "once", tmp_path / "again"]
    for root in runs:
        (root / "base").mkdir(parents=True)
        (root / "train").mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(root), *given, str(general), str(dataset)]) for root in runs
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    once, again = ({path.relative_to(root): path.read_bytes() for path in root.rglob("*.*")} for root in runs)
    assert once == again
    assert {"model.safetensors", "tokenizer.json", "adapter_model.safetensors"} <= {path.name for path in once}
