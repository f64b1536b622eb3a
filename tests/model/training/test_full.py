"""Where all weights are trained, what comes of it is loaded, merged and held back as an adapter is."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from acclimate.core.errors import UserError
from acclimate.model.adapter import attach, load_adapted, load_base
from acclimate.model.forgetting.fisher import diagonal_fisher
from acclimate.model.forgetting.penalties import changes_of, ewc, l2_sp
from acclimate.model.training.full import copies, is_full, with_copies
from acclimate.model.training.report import Trained

TOKENS = torch.arange(3, 3 + 16).view(1, 16)
Train = Callable[..., Trained]


@pytest.fixture
def train(train: Train, tmp_path: Path) -> Train:
    """train(out, steps=…, penalty=…): with all weights trained, and these dials changed."""
    return partial(train, checkpoints=tmp_path / "checkpoints", strategy="full", learning_rate=0.002)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=TOKENS).logits
    return found


def test_every_weight_is_trained_and_the_loss_falls(train: Train, tiny_base: Path, tmp_path: Path) -> None:
    done = train(tmp_path, steps=30)
    assert done.final_loss < done.first_loss - 0.2
    base = dict(load_base(tiny_base).named_parameters())
    assert done.trainable_parameters == sum(weight.numel() for weight in base.values())
    assert (done.strategy, done.trainable_share) == ("full", 1.0)
    trained = dict(load_adapted(tiny_base, tmp_path).named_parameters())
    assert trained.keys() == base.keys()
    assert not any(torch.equal(trained[name], base[name]) for name in base)


def test_what_is_written_is_an_adapter_folder_with_all_weights(train: Train, tiny_base: Path, tmp_path: Path) -> None:
    train(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))
    assert is_full(config)
    assert config["base_model_name_or_path"] == "artifacts/base"
    written = {tuple(weight.shape) for weight in load_file(tmp_path / "adapter_model.safetensors").values()}
    assert written == {tuple(weight.shape) for weight in load_base(tiny_base).parameters()}


def test_merged_it_is_a_model_like_the_base_with_its_output_still_tied(
    train: Train, tiny_base: Path, tmp_path: Path
) -> None:
    train(tmp_path)
    merged = load_adapted(tiny_base, tmp_path)
    assert merged.get_output_embeddings().weight is merged.get_input_embeddings().weight
    torch.testing.assert_close(logits(merged), logits(attach(load_base(tiny_base), tmp_path)))
    assert (logits(merged) - logits(load_base(tiny_base))).abs().max() > 0.01
    merged.save_pretrained(tmp_path / "merged")
    assert torch.equal(logits(load_base(tmp_path / "merged")), logits(merged))


def test_an_output_that_is_not_tied_is_trained_for_itself() -> None:
    model = with_copies(small(tie_word_embeddings=False))
    logits(model)
    names = copies(model)
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= names.keys()
    assert len(names) == 3 + 9


def test_a_weight_beside_the_layers_is_refused_and_not_left_untrained() -> None:
    model = small(tie_word_embeddings=True)
    model.model.scale = torch.nn.Parameter(torch.ones(1))
    with pytest.raises(UserError, match=r"LlamaForCausalLM cannot .*: model has weights of its own"):
        with_copies(model)


def small(**dials: object) -> PreTrainedModel:
    torch.manual_seed(0)
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(num_hidden_layers=1, **sizes, **dials)).eval()


def test_what_a_weight_matters_is_the_same_whatever_is_trained(tiny_base: Path, tiny_adapter: Path) -> None:
    text = TOKENS.repeat(4, 1)
    whole = with_copies(load_base(tiny_base))
    learns = [name for name, weight in whole.named_parameters() if weight.requires_grad]
    found = diagonal_fisher(whole, text, seed=1)
    beside = diagonal_fisher(attach(load_base(tiny_base), tiny_adapter), text, seed=1)
    assert len(found) == len(copies(whole)) > len(beside)
    for name, values in beside.items():
        torch.testing.assert_close(found[f"{name}.weight"], values)
    assert learns == [name for name, weight in whole.named_parameters() if weight.requires_grad]


def test_a_penalty_is_on_the_difference_of_the_weights(tiny_base: Path) -> None:
    model = with_copies(load_base(tiny_base))
    assert float(l2_sp(changes_of(model), 1.0).detach()) == 0
    own, trained = copies(model)["model.layers.0.mlp.up_proj.weight"]
    with torch.no_grad():
        trained[0, 0] += 2.0
    assert float(l2_sp(changes_of(model), 0.5).detach()) == pytest.approx(1.0)
    fisher = {name: torch.zeros_like(weight) for name, (weight, _) in copies(model).items()}
    fisher["model.layers.0.mlp.up_proj.weight"][0, 0] = 3.0
    assert float(ewc(changes_of(model), fisher, 0.5).detach()) == pytest.approx(3.0)
    assert not own.requires_grad


@pytest.mark.parametrize(("penalty", "weight"), [("l2_sp", 100.0), ("ewc", 1e4)])
def test_a_heavy_penalty_keeps_the_weights_where_they_were(
    penalty: str, weight: float, train: Train, tiny_base: Path, tmp_path: Path
) -> None:
    free, held = tmp_path / "free", tmp_path / "held"
    train(free)
    done = train(held, penalty=penalty, penalty_weight=weight)
    assert moved(held, tiny_base) < 0.7 * moved(free, tiny_base)
    assert done.penalty_cost is not None
    assert done.penalty_cost > 0


def moved(adapter: Path, base: Path) -> float:
    """Squared distance from the base."""
    before = dict(load_base(base).named_parameters())
    after = load_adapted(base, adapter).named_parameters()
    return sum(float((weight - before[name]).square().sum()) for name, weight in after)
