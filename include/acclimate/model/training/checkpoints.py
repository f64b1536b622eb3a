"""Where a training run stands, on disk: one that was killed goes on, and ends with the bytes of one that was not.

    journal = Journal(Path(".acclimate/checkpoints/train_domain"), fingerprint, every=50)
    position = journal.resume(model, optimizer)       # None: from the beginning
    journal.write(Position(50, losses, 8, False), model, optimizer)

A checkpoint is one safetensors file whose name ends with the beginning of its own SHA-256, renamed into place when it
is whole and on the disk: half a file cannot be taken for one. Two are kept. They stand outside DVC's outputs, which
DVC removes before a stage runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import sha256, to_disk
from acclimate.model.training.sharding import spread_like, whole

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

KEPT = 2
DIGITS = 16
"""Of the SHA-256, in a file's name."""


@dataclass(frozen=True)
class Position:
    """How far a run has come; the data are in the same order every time, so the step says where it is in them."""

    step: int
    """Steps done."""
    losses: list[float]
    """Of every step done."""
    rows_at_once: int
    """Sequences per forward pass: fewer than asked for after memory ran out."""
    halved: bool
    """Whether memory ran out."""


@dataclass(frozen=True)
class Journal:
    """The checkpoints of one stage."""

    folder: Path
    fingerprint: Mapping[str, str]
    """What the run is made of, by name; a checkpoint of anything else is not gone on from."""
    every: int
    """Steps between two checkpoints."""

    def due(self, step: int, steps: int) -> bool:
        """Whether to write one after `step` of `steps`; after the last the stage itself writes its result."""
        return step % self.every == 0 and step < steps

    def write(
        self, position: Position, model: torch.nn.Module, optimizer: torch.optim.Optimizer, *, leads: bool = True
    ) -> None:
        """Write down everything that the next step depends on; the oldest checkpoint but one goes.

        Where the model is spread over processes all call this, and the one that leads writes.
        """
        from safetensors.torch import save_file

        tensors = {**_weights(model), **_moments(optimizer), **_generators()}
        if not leads:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / "partial"
        facts = {"position": json.dumps(asdict(position)), "fingerprint": json.dumps(dict(self.fingerprint))}
        save_file(tensors, partial, metadata=facts)
        to_disk(partial)
        os.replace(partial, self.folder / f"step-{position.step:08}-{sha256(partial)[:DIGITS]}.safetensors")
        to_disk(self.folder)
        for old in self._files()[KEPT:]:
            old.unlink()

    def resume(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Position | None:
        """Put `model` and `optimizer` where the newest whole checkpoint left them; None if there is none to go on from.

        Says on standard output what it goes on from, and why not from what it finds besides.
        """
        for file in self._files():
            if sha256(file)[:DIGITS] != file.stem.rpartition("-")[2]:
                print(f"{file.name} is not whole: it is passed over", flush=True)
                file.unlink()
                continue
            position, fingerprint = _facts(file)
            if differing := [name for name, value in self.fingerprint.items() if fingerprint.get(name) != value]:
                what = " and ".join(differing)
                print(
                    f"the checkpoint of step {position.step} was made with other {what}: from the beginning", flush=True
                )
                shutil.rmtree(self.folder)
                return None
            _restore(file, model, optimizer)
            print(f"going on after step {position.step}", flush=True)
            return position
        return None

    def _files(self) -> list[Path]:
        """The newest first."""
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)


def digest(parts: Iterator[bytes]) -> str:
    """The SHA-256 of `parts` one after the other."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()


def _weights(model: torch.nn.Module) -> Tensors:
    return {
        f"weight.{name}": whole(weight.detach()) for name, weight in model.named_parameters() if weight.requires_grad
    }


def _moments(optimizer: torch.optim.Optimizer) -> Tensors:
    state: dict[int, Tensors] = optimizer.state_dict()["state"]
    return {f"optimizer.{place}.{name}": whole(value) for place, of in state.items() for name, value in of.items()}


def _generators() -> Tensors:
    """The states of torch's generators: dropout is all that a step draws."""
    import torch

    states = {"generator.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["generator.cuda"] = torch.cuda.get_rng_state()
    return states


def _facts(file: Path) -> tuple[Position, dict[str, str]]:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as content:
        facts = content.metadata()
    return Position(**json.loads(facts["position"])), json.loads(facts["fingerprint"])


def _restore(file: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    import torch
    from safetensors.torch import load_file

    stored = load_file(file)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.copy_(spread_like(stored[f"weight.{name}"], weight))
    trained = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in stored.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            place, _, name = rest.partition(".")
            state.setdefault(int(place), {})[name] = spread_like(value, trained[int(place)])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(stored["generator.cpu"])
    if "generator.cuda" in stored:
        torch.cuda.set_rng_state(stored["generator.cuda"])
