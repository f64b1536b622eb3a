from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """build("Qwen2", hidden_size=32) is a folder with such a model, random, with the finished run's tokenizer."""

    def made(kind: str, **shape: Any) -> Path:
        import torch
        import transformers

        from acclimate.model.adapter import load_tokenizer

        tokenizer = load_tokenizer(finished_run / "artifacts/base")
        sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
        settings = {"vocab_size": len(tokenizer), "num_key_value_heads": 2, "max_position_embeddings": 128}
        torch.manual_seed(1)
        config = getattr(transformers, f"{kind}Config")(**{**sizes, **settings, **shape})
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
        for weights in model.parameters():
            # The usual start is so close to zero that every token is as likely as the next.
            torch.nn.init.normal_(weights, std=0.2)
        folder = tmp_path_factory.mktemp(kind)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return made
