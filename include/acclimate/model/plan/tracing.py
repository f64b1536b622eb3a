"""What a step of training will hold in memory at its peak, by part, and what it computes: traced, not run.

    traced(config, params.training, Pass(rows=8, tokens=256, learned=1.0, passes=1))
    # Traced(parameters=4459776, trainable=327680, peak={"weights": 17845504, …}, flops=…)

The model is made of torch's fake tensors, which have a shape and a type and no data, so one of any size takes seconds
and no memory; and the step is that of whatever transformers, peft and autograd do on this device: which attention
kernel, what precision, what a layer keeps for the way back.

By hand, for a Llama block in float32 with LoRA of rank r on all its linear layers: 6h + 2k + 4i + 7r + a + 2 numbers
per token, h the hidden size, k that of keys, i that of the gated layer, a the heads. That is the count of Korthikanti
et al. 2022 (Reducing Activation Recomputation in Large Transformer Models, section 4.1) without dropout, without the
inputs of frozen matrices, and with an attention that keeps no scores (Dao et al. 2022). tests/model/plan holds the
trace to it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from acclimate.model.device import found
from acclimate.model.plan.base_config import cut_down
from acclimate.model.precision import autocast
from acclimate.model.training.adapting import adapter_beside
from acclimate.model.training.nf4 import packed_bytes

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedConfig

    from acclimate.core.params import TrainingParams
    from acclimate.model.plan.alive import Made

CAUSAL = "acclimate_causal"
"""The attention of a trace: transformers' own, causal without a mask, as training takes it for unseparated texts.

transformers looks at the positions for texts packed into one row, and cannot look at fake ones."""


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass of training."""

    rows: int
    """Sequences at once."""
    tokens: int
    """Per sequence."""
    learned: float
    """Share of the tokens that have a loss (0–1)."""
    passes: int
    """Per step: with more than one, the gradients of those before are there at the peak."""
    separate: bool = False
    """Whether texts in one row are kept apart, by a mask."""


@dataclass(frozen=True)
class Traced:
    """A model, and a step of it."""

    parameters: int
    """Of the base."""
    trainable: int
    """Of the adapter; all of the base's once more where all are trained."""
    linear: int
    """Of the base's, those in the layers that can be packed in few bits: all linear ones but the output."""
    peak: dict[str, int]
    """Bytes by part, at the moment of the step when there are most."""
    flops: int
    """Floating-point operations of one pass."""


DEEP = 4
"""More layers than these are not traced one by one: they are taken to be alike, and two depths tell what one adds."""


def traced(config: PreTrainedConfig, training: TrainingParams, one: Pass) -> Traced:
    """Trace a step of training an adapter beside a model of the shape `config`."""
    model = _meta_model(config, training)
    trainable, total = model.get_nb_trainable_parameters()
    buffers = sum(buffer.nbytes for buffer in model.buffers())
    linear = _linear(model)
    step = _step(config, training, one)
    peak = {
        "weights": _held(total - trainable, linear, training) + buffers,
        "adapter": 4 * trainable,
        "gradients": step.made.gradients,
        "optimiser": 2 * 4 * trainable,  # the two moments of AdamW (Loshchilov & Hutter 2019)
        "activations": step.made.total - step.made.gradients - step.made.logits,
        "logits and loss": step.made.logits,
    }
    return Traced(total - trainable, trainable, sum(linear), peak, step.flops)


def _held(parameters: int, linear: list[int], training: TrainingParams) -> int:
    """Bytes of the frozen base, of whose parameters so many are in each linear layer."""
    if training.base_weights == "float32":
        return 4 * parameters
    return 4 * (parameters - sum(linear)) + sum(packed_bytes(layer) for layer in linear)


@dataclass(frozen=True)
class Step:
    """What the passes of a step make, and the operations of one pass."""

    made: Made
    flops: int


def _step(config: PreTrainedConfig, training: TrainingParams, one: Pass) -> Step:
    """Of all layers, or drawn out in a straight line from two depths."""
    from acclimate.model.plan.alive import Made

    layers: int = config.num_hidden_layers
    if layers <= DEEP:
        return step_of_all_layers(config, training, one)
    less, more = (step_of_all_layers(cut_down(config, depth), training, one) for depth in (DEEP - 1, DEEP))

    def drawn_out(low: int, high: int) -> int:
        return high + (layers - DEEP) * (high - low)

    made = [drawn_out(*pair) for pair in zip(astuple(less.made), astuple(more.made), strict=True)]
    return Step(Made(*made), drawn_out(less.flops, more.flops))


def step_of_all_layers(config: PreTrainedConfig, training: TrainingParams, one: Pass) -> Step:
    """Trace a step of every layer."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from acclimate.model.plan.alive import Alive
    from acclimate.model.training.fused import fused

    model = _meta_model(config, training)
    passes = min(one.passes, 2)  # a third finds the same gradients there as the second
    with fused(model), FakeTensorMode(), torch.device(found()):
        _fake(model)
        with Alive(model, config.vocab_size) as alive:
            for _ in range(passes):
                one_pass(model, one)
    return Step(alive.most, alive.flops // passes)


def _meta_model(config: PreTrainedConfig, training: TrainingParams) -> PeftModel:
    """A model without data, and an adapter beside it."""
    import torch
    from transformers import AttentionInterface, AutoModelForCausalLM
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    from acclimate.model.plan.unpacking import as_unpacking

    AttentionInterface.register(CAUSAL, sdpa_attention_forward)
    with torch.device("meta"):
        bare = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=CAUSAL)
        if training.base_weights == "nf4":
            as_unpacking(bare)
        return adapter_beside(bare, training).train()


def _fake(model: torch.nn.Module) -> None:
    """Put fake tensors in place of a meta model's own, which belong to no device; tied weights stay tied.

    Module.to cannot: it swaps tensors of a subclass in place, and refuses where anything refers to them (torch 2.13).
    """
    import torch

    fakes: dict[torch.Tensor, torch.nn.Parameter] = {}
    for module in model.modules():
        for name, weight in [*module.named_parameters(recurse=False)]:
            if weight not in fakes:
                fakes[weight] = torch.nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype), weight.requires_grad)
            setattr(module, name, fakes[weight])
        for name, buffer in [*module.named_buffers(recurse=False)]:
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))


def one_pass(model: PeftModel, one: Pass) -> None:
    """The passes of TokenLoss and the loop, on ids that are all alike."""
    import torch

    base: Any = model.get_base_model()
    ids = torch.zeros((one.rows, one.tokens), dtype=torch.int64)
    mask = torch.ones((one.rows, 1, one.tokens, one.tokens), dtype=torch.bool) if one.separate else None
    with autocast(model.device):
        hidden = base.get_decoder()(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        loss = _loss(base, hidden, one.learned)
    del hidden
    loss.backward()  # type: ignore[no-untyped-call]  # torch


def _loss(base: Any, hidden: torch.Tensor, share: float) -> torch.Tensor:
    import torch

    before = hidden[:, :-1].flatten(0, 1)
    learned = before[: max(1, round(share * len(before)))].clone()
    logits = base.get_output_embeddings()(learned)
    targets = torch.zeros(len(learned), dtype=torch.int64)
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


def _linear(model: PeftModel) -> list[int]:
    """The weights of each layer that can be packed: all linear ones but the output."""
    import torch

    output = {*model.get_base_model().get_output_embeddings().modules()}
    layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear) and layer not in output]
    return [layer.weight.numel() for layer in layers if not layer.weight.requires_grad]
