"""Merge the adapter into the base, quantise the result to a few bits with GPTQ, and put it into other forms.

    artifacts/quantize/merged/       the candidate as one ordinary model, float32
    artifacts/quantize/quantized/    the same in GPTQ format, for any runtime that reads it
    artifacts/quantize/forms/        what quantize.forms asks for besides, one folder each; forms.json lists them

How it is rounded: gptq.py. The other forms are there to be compared and to be taken along, or packaged if they are GGUF
and package.weights names them. One that cannot be made is a line in the report.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import write_json
from acclimate.model.adapter import WEIGHTS, load_adapted, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.release.forms.made import FORMS, Made
from acclimate.release.forms.making import make_apart
from acclimate.release.gptq import (
    LayerError,
    calibration_texts,
    gptq,
    layer_errors,
    leave_it_threads,
    linears,
    require_divisible,
)
from acclimate.release.weights import file_sha256, folder_sha256, weight_bytes

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, QuantizeParams


@dataclass(frozen=True)
class QuantizeReport:
    """Both models by size and hash, how far rounding moved each layer, and what became of the other forms."""

    bits: int
    group_size: int
    calibration_texts: int
    merged_bytes: int
    quantized_bytes: int
    adapter_sha256: str
    merged_sha256: str
    quantized_sha256: str
    layers: list[LayerError]
    forms: list[Made] = field(default_factory=list)

    def headline(self) -> str:
        """'19.4 MB → 6.2 MB at 4 bits; worst module layer 3 mlp.down_proj, error 2.1e-05; besides …'."""
        worst = max(self.layers, key=lambda layer: layer.worst)
        besides = ", ".join(
            f"{made.form} ({'not made' if made.bytes is None else f'{made.bytes / 1e6:.1f} MB'})" for made in self.forms
        )
        return (
            f"{self.merged_bytes / 1e6:.1f} MB → {self.quantized_bytes / 1e6:.1f} MB at {self.bits} bits; "
            f"largest error {worst.worst:.1e} in layer {worst.layer} {worst.worst_module}"
            f"{f'; besides {besides}' if besides else ''}"
        )


def run(
    params: QuantizeParams, common: CommonParams, *, base: Path, adapter: Path, dataset: Path, out: Path
) -> QuantizeReport:
    """Write `out`/merged, `out`/quantized and `out`/forms.

    Raises:
        UserError: if the adapter does not fit the base, the training set has no domain text to calibrate
            on, or a layer's width cannot be divided into groups.
    """
    leave_it_threads(common.threads)
    fix_randomness(common)
    texts = calibration_texts(dataset, params.calibration_texts)
    merged, quantized = out / "merged", out / "quantized"
    model = load_adapted(base, adapter)
    require_divisible({name: module.in_features for name, module in linears(model)}, params.group_size)
    model.save_pretrained(merged)
    load_tokenizer(base).save_pretrained(merged)
    del model
    log = gptq(merged, quantized, texts, bits=params.bits, params=params)
    forms = [make_apart(form, params, common, merged=merged, texts=texts, out=out / "forms") for form in params.forms]
    write_json(out / "forms" / FORMS, [asdict(made) for made in forms])
    return QuantizeReport(
        bits=params.bits,
        group_size=params.group_size,
        calibration_texts=len(texts),
        merged_bytes=weight_bytes(merged),
        quantized_bytes=weight_bytes(quantized),
        adapter_sha256=file_sha256(adapter / WEIGHTS),
        merged_sha256=folder_sha256(merged),
        quantized_sha256=folder_sha256(quantized),
        layers=layer_errors(log),
        forms=forms,
    )
