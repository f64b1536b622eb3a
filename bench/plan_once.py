"""Train for a few steps in a process of its own, and print what that took: for bench/plan.py and the tests of the plan.

    python bench/plan_once.py params.yaml artifacts 4 '[{"stage": "train_domain", "training.rows_at_once": 4}]'
    [{"peak": 312475648, "seconds": 2.7}]

The arguments are the dials, a folder with base/ and mix/train.jsonl, a number of steps, and cases: a train stage and
the dials in which it differs. `peak` is by how many bytes resident memory grew at most over what the process held once
its libraries were loaded and had trained another model, a small one: the pages of their code that they touch when they
compute for the first time are not the model's.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import Params, load, with_changes
from acclimate.model import tiny, train_domain, train_task
from acclimate.model.adapter import load_tokenizer
from acclimate.model.device import found
from acclimate.model.plan.growth import Growth

SMALL = {"hidden": 16, "layers": 1, "heads": 2}


def main() -> int:
    """Every case in a child of its own, so that none finds what another has allocated."""
    import peft  # noqa: F401  # before the forks: what a stage has loaded when its work begins
    import transformers  # noqa: F401

    params, artifacts, steps, cases = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    print(json.dumps([in_a_child(params, artifacts, {"steps": steps, **case}) for case in cases]))
    return 0


def in_a_child(params: Path, artifacts: Path, case: dict[str, Any]) -> dict[str, float]:
    """What one case took."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.write(write, json.dumps(taken(params, artifacts, case)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    found: dict[str, float] = json.loads(told)
    return found


def taken(params: Path, artifacts: Path, case: dict[str, Any]) -> dict[str, float]:
    """Train a small model on a few texts, then the one in question."""
    stage, steps = case.pop("stage"), case.pop("steps")
    dataset = artifacts / "mix/train.jsonl"
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        changed = with_dials(params, {**case, f"{stage}.steps": steps}, root)
        tiny.new_model(changed.base.model_copy(update=SMALL), changed.base.vocabulary).save_pretrained(root / "base")
        load_tokenizer(artifacts / "base").save_pretrained(root / "base")
        kinds = {row["kind"]: row for row in read_jsonl(dataset)}
        write_jsonl(root / "few.jsonl", kinds.values())
        few = with_dials(params, {f"{stage}.steps": 1, f"{stage}.batch_sequences": 1}, root)
        train(few, stage, root / "base", root / "few.jsonl", root / "small")
        growth, began = Growth(found()), time.perf_counter()
        train(changed, stage, artifacts / "base", dataset, root / "out")
        return {"peak": growth.bytes(), "seconds": round(time.perf_counter() - began, 2)}


def with_dials(params: Path, dials: dict[str, Any], scratch: Path) -> Params:
    """The parameters with these dials changed."""
    (scratch / "params.yaml").write_text(with_changes(params.read_text(encoding="utf-8"), dials), encoding="utf-8")
    return load(scratch / "params.yaml")


def train(params: Params, stage: str, base: Path, dataset: Path, out: Path) -> None:
    """Run the stage as the pipeline does; the task adapter beside the bare base, which is as large as with another."""
    out.mkdir()
    given = {"base": base, "dataset": dataset, "out": out, "checkpoints": out / "checkpoints"}
    if stage == "train_domain":  # without a penalty it reads no general text
        train_domain.run(params.train_domain, params.training, params.common, **given, general=out)
    else:
        section = params.train_task.model_copy(update={"start_from": "base"})
        train_task.run(section, params.training, params.common, **given, domain=out)


if __name__ == "__main__":
    sys.exit(main())
