"""llama.cpp's server (by xllamacpp) for bench/serve.py, on a GGUF file, or on a Llama in safetensors as one in 32 bits.

python bench/peers/llama_cpp_server.py MODEL THREADS PORT       # in the environment of bench/peers/llama-cpp.txt
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import xllamacpp
from numpy.typing import NDArray
from safetensors.numpy import load_file

AT_ONCE = 16
"""Answers written together, as our endpoint does."""


def main() -> int:
    """Serve until SIGTERM."""
    folder, threads, port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    config = json.loads((folder / "config.json").read_text())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with tempfile.TemporaryDirectory() as scratch:
        path = folder / "model.gguf"
        if not path.exists():
            path = Path(scratch) / "model.gguf"
            convert(folder, config, path)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = AT_ONCE * config["max_position_embeddings"]
        params.n_parallel = AT_ONCE
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.port = port  # of 127.0.0.1, as it does by itself
        server = xllamacpp.Server(params)
        print(server.listening_address, flush=True)
        stop.wait()
    return 0


def convert(folder: Path, config: dict[str, Any], path: Path) -> None:
    """Write the model in `folder` as GGUF: shape, vocabulary, weights."""
    writer = gguf.GGUFWriter(path, "llama")
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    _add_vocabulary(writer, json.loads((folder / "tokenizer.json").read_text()))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, weight in load_file(folder / "model.safetensors").items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weight = _pairwise(weight, heads)  # noqa: PLW2901
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    special = {token["id"] for token in tokenizer["added_tokens"]}
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    kinds = [gguf.TokenType.CONTROL if place in special else gguf.TokenType.NORMAL for place in range(len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(True)


def _pairwise(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows in the order in which llama.cpp turns them: neighbours, where transformers turns halves."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


if __name__ == "__main__":
    sys.exit(main())
