from __future__ import annotations

import pytest
import torch

from acclimate.model.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (16, 48), (48, 16)])
def test_singular_values_come_near_one_and_singular_vectors_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    [result] = orthogonal(matrix[None])
    values = torch.linalg.svdvals(result)
    assert float(values.min()) > 0.6
    assert float(values.max()) < 1.25
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    aligned = left.T @ result @ right.T
    assert torch.allclose(aligned, torch.diag(torch.diagonal(aligned)), atol=1e-4)


def test_a_batch_gives_what_each_matrix_gives_alone() -> None:
    matrices = torch.randn(3, 8, 24, generator=torch.Generator().manual_seed(1))
    together = orthogonal(matrices)
    for matrix, result in zip(matrices, together, strict=True):
        assert torch.allclose(orthogonal(matrix[None])[0], result, atol=1e-6)


def test_a_gradient_of_zero_moves_nothing() -> None:
    weight = torch.nn.Parameter(torch.ones(4, 4))
    weight.grad = torch.zeros(4, 4)
    Muon([weight], lr=0.1, weight_decay=0.0).step()
    assert torch.equal(weight.detach(), torch.ones(4, 4))


def test_it_takes_the_steps_of_torchs_own_but_for_its_rounding_to_bfloat16() -> None:
    random = torch.Generator().manual_seed(2)
    start = [torch.randn(shape, generator=random) for shape in ((8, 8), (8, 24), (8, 8), (24, 8))]
    ours, theirs = ([torch.nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    optimizers = [
        Muon(ours, lr=0.02, weight_decay=0.05),
        torch.optim.Muon(theirs, lr=0.02, weight_decay=0.05, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(4):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=random)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, other, before in zip(ours, theirs, start, strict=True):
        moved = (one - before).norm()
        # bfloat16 keeps 8 bits: five iterations leave some 2 % of noise.
        assert float(((one - other).norm() / moved).detach()) < 0.05
