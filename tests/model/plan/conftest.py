"""Shapes small enough to build, and the machine they are planned for."""

from __future__ import annotations

import pytest
from transformers import LlamaConfig

from acclimate.model.plan.machine import Machine


@pytest.fixture
def config() -> LlamaConfig:
    """Two key heads for four query heads, so that the two cannot be mistaken for each other."""
    return LlamaConfig(
        vocab_size=500,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        tie_word_embeddings=True,
    )


@pytest.fixture
def here() -> Machine:
    return Machine("cpu", "a processor", memory=8 * 10**9, free=4 * 10**9, precision="float32")
