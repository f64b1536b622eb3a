"""Merge the adapter into the base and quantise the result to a few bits with GPTQ.

    artifacts/quantize/merged/       the candidate as one ordinary model, float32
    artifacts/quantize/quantized/    the same in GPTQ format, for any runtime that reads it

GPTQ (Frantar et al. 2022) rounds each layer so that its outputs on calibration texts change least;
the texts come from the domain the model will be asked about.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import defaultdict
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_json
from acclimate.model.adapter import WEIGHTS, load_adapted, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.release.weights import file_sha256, folder_sha256

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, QuantizeParams

BATCH_TEXTS = 8
LEAST_WORKERS = 2
"""Threads that GPTQModel's own pools need to exist."""
KEPT = ("config.json", "generation_config.json", "quantize_config.json", "tokenizer.json", "tokenizer_config.json")
"""What GPTQModel writes besides *.safetensors and is needed; its log holds times and goes."""


@dataclass(frozen=True)
class LayerError:
    """What rounding changed in one layer: GPTQ's loss per linear module, a squared error per calibration token."""

    layer: int
    mean: float
    worst: float
    worst_module: str


@dataclass(frozen=True)
class QuantizeReport:
    """Both models by size and hash, and how far rounding moved each layer."""

    bits: int
    group_size: int
    calibration_texts: int
    merged_bytes: int
    quantized_bytes: int
    adapter_sha256: str
    merged_sha256: str
    quantized_sha256: str
    layers: list[LayerError]

    def headline(self) -> str:
        """'19.4 MB → 6.2 MB at 4 bits; worst module layer 3 mlp.down_proj, error 2.1e-05'."""
        worst = max(self.layers, key=lambda layer: layer.worst)
        return (
            f"{self.merged_bytes / 1e6:.1f} MB → {self.quantized_bytes / 1e6:.1f} MB at {self.bits} bits; "
            f"largest error {worst.worst:.1e} in layer {worst.layer} {worst.worst_module}"
        )


def run(
    params: QuantizeParams, common: CommonParams, *, base: Path, adapter: Path, dataset: Path, out: Path
) -> QuantizeReport:
    """Write `out`/merged and `out`/quantized.

    Raises:
        UserError: if the adapter does not fit the base, the training set has no domain text to calibrate
            on, or a layer's width cannot be divided into groups.
    """
    # Read by GPTQModel when it starts its threads; left alone it wants one more than the machine has.
    os.environ["GPTQMODEL_CPU_WORKERS"] = str(max(common.threads, LEAST_WORKERS))
    fix_randomness(common)
    texts = calibration_texts(dataset, params.calibration_texts)
    merged, quantized = out / "merged", out / "quantized"
    model = load_adapted(base, adapter)
    require_divisible({name: module.in_features for name, module in _linears(model)}, params.group_size)
    model.save_pretrained(merged)
    load_tokenizer(base).save_pretrained(merged)
    del model
    # Two hundred lines of progress and tables; what they say of the model is in the log it returns.
    with redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as scratch:
        merged_path, quantized_path = merged.resolve(), quantized.resolve()
        with chdir(scratch):  # GPTQModel keeps a log of every run in a folder "logs" where it is called
            log = _quantize(merged_path, quantized_path, texts, params)
    return QuantizeReport(
        bits=params.bits,
        group_size=params.group_size,
        calibration_texts=len(texts),
        merged_bytes=_weight_bytes(merged),
        quantized_bytes=_weight_bytes(quantized),
        adapter_sha256=file_sha256(adapter / WEIGHTS),
        merged_sha256=folder_sha256(merged),
        quantized_sha256=folder_sha256(quantized),
        layers=layer_errors(log),
    )


def calibration_texts(dataset: Path, count: int) -> list[str]:
    """The first `count` domain texts of the training set, whose order is random already.

    Raises:
        UserError: if there is none.
    """
    texts = [row["text"] for row in read_jsonl(dataset) if row["kind"].startswith("domain_")]
    if not texts:
        raise UserError(
            f"{dataset} holds no domain text",
            why="GPTQ rounds so that outputs on such texts change least",
            fix="raise mix.domain_documents or mix.domain_questions in params.yaml",
        )
    return texts[:count]


def require_divisible(widths: dict[str, int], group_size: int) -> None:
    """Raise UserError if a linear module's input width is not a multiple of `group_size`.

    GPTQModel quantises such a model, and its 4-bit kernels fail when it is first asked something.
    """
    odd = {name: width for name, width in widths.items() if width % group_size}
    if odd:
        name, width = next(iter(odd.items()))
        raise UserError(
            f"{len(odd)} layers cannot be cut into groups of {group_size} weights, e.g. {name} with {width} inputs",
            why="the 4-bit kernels need whole groups",
            fix="set quantize.group_size in params.yaml to 64 or 32, or package.weights to merged",
        )


def layer_errors(log: list[dict[str, str]]) -> list[LayerError]:
    """Summarise GPTQModel's log (one row per module) by layer."""
    losses: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for row in log:
        losses[int(row["layer"])].append((float(row["loss"]), row["module"]))
    return [
        LayerError(
            layer=layer,
            mean=float(f"{sum(loss for loss, _ in sorted(modules)) / len(modules):.3e}"),
            worst=max(modules)[0],
            worst_module=max(modules)[1],
        )
        for layer, modules in sorted(losses.items())
    ]


def _quantize(merged: Path, quantized: Path, texts: list[str], params: QuantizeParams) -> list[dict[str, str]]:
    """GPTQ; returns the log, one row per linear module."""
    import torch
    from gptqmodel import GPTQModel, QuantizeConfig

    # offload_to_disk would write a temporary path into the model's config.
    config = QuantizeConfig(bits=params.bits, group_size=params.group_size, desc_act=False, offload_to_disk=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = GPTQModel.load(str(merged), config, device=device, dtype=torch.float32)
    tokens = [
        {name: values[0] for name, values in encoded.items() if name != "token_type_ids"}
        for encoded in (
            model.tokenizer(text, truncation=True, max_length=params.calibration_tokens, return_tensors="pt")
            for text in texts
        )
    ]
    log: dict[str, list[dict[str, str]]] = model.quantize(tokens, batch_size=BATCH_TEXTS)
    model.save(str(quantized))
    _keep_only_needed(quantized)
    return log["gptq"]


def _keep_only_needed(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in KEPT and path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
            path.unlink()
    # Rewritten so that the bytes do not depend on the order in which the library met its settings.
    for name in ("config.json", "quantize_config.json"):
        write_json(folder / name, dict(sorted(read_json(folder / name).items())))


def _linears(model: Any) -> list[tuple[str, Any]]:
    """The linear modules that are quantised: all but the output layer."""
    import torch

    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith("lm_head")
    ]


def _weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))
