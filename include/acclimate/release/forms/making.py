"""Making one other form of the merged model: gptq-8 or gptq-4, gguf-f16, gguf-q8_0 or gguf-q4_k_m.

    made = make_apart("gguf-q8_0", params.quantize, params.common, merged=…, texts=…, out=…)
    made.bytes, made.storage      # 2_934_112, {"Q8_0": 29, "F32": 9}

A GGUF file is made in two steps: half precision by us (gguf_file.py), fewer bits by llama.cpp. It counts as made if
llama.cpp cuts the calibration texts, and some awkward ones, into the token ids of the model's own tokenizer.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.params import CommonParams, QuantizeParams
from acclimate.model.adapter import load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.release.forms import llama_cpp
from acclimate.release.forms.apart import Failed, answer, apart
from acclimate.release.forms.gguf_file import storage, write_f16
from acclimate.release.forms.made import Made
from acclimate.release.gptq import gptq, leave_it_threads
from acclimate.release.weights import GGUF, folder_sha256, weight_bytes

FILE_TYPES = {"gguf-q8_0": "MOSTLY_Q8_0", "gguf-q4_k_m": "MOSTLY_Q4_K_M"}
"""Forms that llama.cpp makes of the one in half precision, by their names there."""
AWKWARD = (
    *(
        "",
        " ",
        "\n\n\n",
        "\t\tif x:\n\t\t\treturn 1234567890",
        "it's we'LL they'd",
        "e\u0301 é ﬁ ²³ ½ Ⅷ",
        "日本語 текст",
    ),
    *("🙂👩‍👩‍👧", "a\u00a0b\u2003c", "</s> <s> <pad>", "np.array([[1,2],[3,4]])  # 2×2", "\r\n\r\n x\r\n"),
)
"""What tokenizers have disagreed about: spaces, digits, contractions, scripts, composed characters, special tokens."""


def make_apart(
    form: str, params: QuantizeParams, common: CommonParams, *, merged: Path, texts: list[str], out: Path
) -> Made:
    """Write the form to `out`/`form` in a process of its own; a failure is an answer too."""
    done = apart(
        "acclimate.release.forms.making",
        {
            "form": form,
            "params": params.model_dump(mode="json"),
            "common": common.model_dump(mode="json"),
            "merged": str(merged),
            "texts": texts,
            "out": str(out / form),
        },
    )
    if isinstance(done, Failed):
        shutil.rmtree(out / form, ignore_errors=True)
        return Made(form, None, None, failure=done.reason)
    return Made(**done)


def make(
    *, form: str, params: dict[str, Any], common: dict[str, Any], merged: str, texts: list[str], out: str
) -> dict[str, Any]:
    """Write the form to the folder `out`, and describe it.

    Raises:
        UserError: if the model has something that the form cannot hold.
    """
    dials, shared = QuantizeParams.model_validate(params), CommonParams.model_validate(common)
    folder = Path(out)
    method, _, kind = form.partition("-")
    if method == "gptq":
        leave_it_threads(shared.threads)
        fix_randomness(shared)
        gptq(Path(merged), folder, texts, bits=int(kind), params=dials)
        stored = {}
    else:
        _copy_all_but_weights(Path(merged), folder)
        _gguf(form, Path(merged), folder / GGUF, shared.threads)
        require_same_tokens(Path(merged), folder / GGUF, [*texts, *AWKWARD])
        stored = storage(folder / GGUF)
    return asdict(Made(form, weight_bytes(folder), folder_sha256(folder), stored))


def require_same_tokens(model: Path, gguf: Path, texts: list[str]) -> None:
    """Raise UserError unless llama.cpp cuts every text as the tokenizer in the folder `model` does."""
    expected: list[list[int]] = load_tokenizer(model)(texts)["input_ids"]
    found = llama_cpp.token_ids(gguf, texts)
    differ = [text for text, ours, theirs in zip(texts, expected, found, strict=True) if ours != theirs]
    if differ:
        raise UserError(
            f"llama.cpp cuts {len(differ)} of {len(texts)} texts into other tokens, e.g. {differ[0][:60]!r}",
            why="with other token ids the model reads another text",
            fix="leave the gguf forms out of quantize.forms, or convert artifacts/quantize/merged with llama.cpp's own "
            "convert_hf_to_gguf.py",
        )


def _copy_all_but_weights(merged: Path, folder: Path) -> None:
    """Put tokenizer and shape beside the GGUF file: with them the folder is a model that can be served."""
    shutil.copytree(merged, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.safetensors.index.json"))


def _gguf(form: str, merged: Path, path: Path, threads: int) -> None:
    """Write `path`; fewer bits are made from the half precision that was made before, or else in passing."""
    if form not in FILE_TYPES:
        write_f16(merged, path)
        return
    half = path.parent.with_name("gguf-f16") / GGUF
    if half.exists():
        llama_cpp.quantize(half, path, FILE_TYPES[form], threads)
        return
    with tempfile.TemporaryDirectory(dir=path.parent.parent) as scratch:
        write_f16(merged, Path(scratch) / GGUF)
        llama_cpp.quantize(Path(scratch) / GGUF, path, FILE_TYPES[form], threads)


if __name__ == "__main__":
    raise SystemExit(answer(make))
