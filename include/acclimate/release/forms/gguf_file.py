"""A model folder as one GGUF file in half precision, which llama.cpp loads and quantises further.

    write_f16(Path("artifacts/quantize/merged"), Path("model.gguf"))
    storage(Path("model.gguf"))      # {"F16": 29, "F32": 9}: tensors by how their numbers are stored

Names and metadata are those of the package gguf, which llama.cpp's authors publish. Matrices become 16-bit floats,
vectors (norms and biases) stay at 32: llama.cpp computes with them so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.forms.gguf_tokenizer import add_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True)
class Architecture:
    """How llama.cpp calls a kind of model."""

    name: str
    pairs_are_neighbours: bool
    """Whether its rotary embedding turns entries 0 and 1, 2 and 3, … of a head; transformers turns an entry of the
    first half with one of the second."""


ARCHITECTURES = {
    "LlamaForCausalLM": Architecture("llama", pairs_are_neighbours=True),
    "MistralForCausalLM": Architecture("llama", pairs_are_neighbours=True),
    "Qwen2ForCausalLM": Architecture("qwen2", pairs_are_neighbours=False),
    "Qwen3ForCausalLM": Architecture("qwen3", pairs_are_neighbours=False),
}


def write_f16(model: Path, path: Path) -> None:
    """Write the model of the folder `model` to `path`; one tensor is in memory at a time.

    Raises:
        UserError: if its architecture, or something in it, is not translated.
    """
    import gguf

    config = read_json(model / "config.json")
    architecture = _architecture(config, model)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.name.upper()], config["num_hidden_layers"])
    writer = gguf.GGUFWriter(path, architecture.name)
    _add_shape(writer, config)
    tensors = list(_tensors(model, config, architecture))
    (rows,) = (shape[0] for name, shape, _ in tensors if name.endswith("embed_tokens.weight"))
    add_tokenizer(writer, model, rows=rows)
    for name, shape, _ in tensors:
        own = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if own is None:
            raise _not_translated(f"the tensor {name}", model)
        kind = np.dtype(np.float16 if len(shape) > 1 else np.float32)
        writer.add_tensor_info(own, shape, kind, int(np.prod(shape)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, shape, read in tensors:
        writer.write_tensor_data(read().astype(np.float16 if len(shape) > 1 else np.float32))
    writer.close()


def storage(path: Path) -> dict[str, int]:
    """How many tensors of a GGUF file are stored in which type, most frequent first."""
    from gguf import GGUFReader

    found = Counter(tensor.tensor_type.name for tensor in GGUFReader(path).tensors)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def in_neighbours(rows: Array, heads: int) -> Array:
    """The rows of a query or key projection in the order in which neighbours are turned together.

    Of every head, row i of the first half is followed by row i of the second.

    Args:
        rows: weights [heads × head size, inputs], or biases [heads × head size].
        heads: of queries, or of keys.
    """
    halves = rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _architecture(config: dict[str, Any], model: Path) -> Architecture:
    """Raise UserError for what llama.cpp would compute differently, or what is not translated."""
    (kind,) = config["architectures"]
    if kind not in ARCHITECTURES:
        raise _not_translated(f"the architecture {kind} (known are {', '.join(ARCHITECTURES)})", model)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise _not_translated(f"rotary embeddings of type {rope['rope_type']}", model)
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    if window is not None and window < config["max_position_embeddings"]:
        raise _not_translated(f"attention over the last {window} tokens alone", model)
    if config["hidden_act"] != "silu":
        raise _not_translated(f"the activation {config['hidden_act']}", model)
    return ARCHITECTURES[kind]


def _add_shape(writer: Any, config: dict[str, Any]) -> None:
    """Sizes, and the few numbers besides weights that the forward pass depends on."""
    import gguf

    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_parameters") or {}
    writer.add_type("model")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def _tensors(
    model: Path, config: dict[str, Any], architecture: Architecture
) -> Iterator[tuple[str, tuple[int, ...], Any]]:
    """Name, shape and how to read every tensor, in the order of files and names."""
    from safetensors import safe_open

    heads = config["num_attention_heads"]
    of = {"q_proj": heads, "k_proj": config.get("num_key_value_heads") or heads}

    def reader(file: Any, name: str) -> Any:
        turned = of.get(name.split(".")[-2]) if architecture.pairs_are_neighbours else None

        def read() -> Array:
            array: Array = file.get_tensor(name)
            return array if turned is None else in_neighbours(array, turned)

        return read

    for path in sorted(model.glob("*.safetensors")):
        file: Any = safe_open(path, framework="numpy")
        for name in sorted(file.keys()):
            yield name, tuple(file.get_slice(name).get_shape()), reader(file, name)


def _not_translated(what: str, model: Path) -> UserError:
    return UserError(
        f"{model} has {what}, which is not translated to GGUF",
        why="llama.cpp would compute something else than the model that was judged",
        fix="leave the gguf forms out of quantize.forms, or convert artifacts/quantize/merged with llama.cpp's own "
        "convert_hf_to_gguf.py",
    )
