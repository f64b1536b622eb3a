from __future__ import annotations

from typing import Any

import pytest
import torch

from acclimate.release.unpacking import WORD, ZEROS_TOO_LOW_BY, _weight, readable

INPUTS, OUTPUTS, GROUP = 64, 32, 16


def packed(codes: torch.Tensor, bits: int) -> torch.Tensor:
    """The codes of each row in 32-bit words, the lowest bits first: what is written down of the format."""
    words = codes.reshape(codes.shape[0], -1, WORD // bits).to(torch.int64)
    whole = sum(words[..., place] << (place * bits) for place in range(WORD // bits))
    assert isinstance(whole, torch.Tensor)
    return torch.where(whole >= 1 << 31, whole - (1 << 32), whole).to(torch.int32)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("format_", list(ZEROS_TOO_LOW_BY))
def test_weights_are_the_scale_times_the_code_less_the_zero(bits: int, format_: str) -> None:
    draw, most, low = torch.Generator().manual_seed(bits), 1 << bits, ZEROS_TOO_LOW_BY[format_]
    codes = torch.randint(0, most, (INPUTS, OUTPUTS), generator=draw)
    zeros = torch.randint(low, most, (INPUTS // GROUP, OUTPUTS), generator=draw)
    scales = torch.rand(INPUTS // GROUP, OUTPUTS, generator=draw).half()
    group = torch.randperm(INPUTS, generator=draw) // GROUP  # as where columns were reordered
    weight = _weight(packed(codes.T, bits).T, packed(zeros - low, bits), scales, group.int(), bits=bits, too_low_by=low)
    wanted = scales[group] * (codes - zeros[group]).half()
    assert torch.equal(weight, wanted.T.float())


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, True),
        ({"bits": 8}, True),
        ({"bits": 3}, False),
        ({"checkpoint_format": "marlin"}, False),
        ({"quant_method": "awq"}, False),
    ],
)
def test_what_is_packed_otherwise_is_left_to_its_library(changed: dict[str, Any], wanted: bool) -> None:
    assert readable({"quant_method": "gptq", "checkpoint_format": "gptq", "bits": 4, **changed}) == wanted
