"""Muon against the singular value decomposition, and AdamW as torch has it."""

import pytest
import torch
from torch import nn, optim

from app.core.muon import MOMENTUM, STEP, Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 75), (64, 32), (20, 20)])
def test_every_singular_value_comes_close_to_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    unlike = torch.logspace(0, -2, len(values))
    turned = left.T @ orthogonalize(left @ unlike.diag() @ right) @ right.T
    assert turned.diagonal().min() > 0.6
    assert turned.diagonal().max() < 1.3
    torch.testing.assert_close(turned, turned.diagonal().diag(), rtol=0, atol=1e-3)


def test_it_agrees_with_torch_s_for_matrices() -> None:
    chance = torch.Generator().manual_seed(0)
    filters, gradients = (torch.randn(6, 2, 3, 3, generator=chance) for _ in range(2))
    ours, theirs = nn.Parameter(filters.clone()), nn.Parameter(filters.flatten(1).clone())
    own = Muon([ours], lr=0.1, weight_decay=0.2)
    torchs = optim.Muon(
        [theirs], lr=0.1, weight_decay=0.2, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(3):
        # Its steps have a root mean square of 0.2, and are in bfloat16.
        before = ours.detach().clone()
        ours.grad = gradients.clone()
        theirs.grad = gradients.flatten(1).clone()
        shrunk = theirs.detach() * (1 - 0.1 * 0.2)
        own.step()
        torchs.step()  # type: ignore[no-untyped-call]
        step = (ours.detach() - before * (1 - 0.1 * 0.2)).flatten(1)
        torch.testing.assert_close(
            step, (theirs.detach() - shrunk) * STEP / 0.2, rtol=0.05, atol=0.01
        )
        gradients = -gradients.flip(0)


def test_all_but_filters_are_adamw_s() -> None:
    first, second = (nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3)) for _ in "ab")
    second.load_state_dict(first.state_dict())
    muon = Muon(first.parameters(), lr=0.1, weight_decay=0.5)
    adamw = optim.AdamW(second.parameters(), lr=0.1, weight_decay=0.5)
    images = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    for network, optimizer in ((first, muon), (second, adamw)):
        network(images).square().sum().backward()
        optimizer.step()
    equal = [a.equal(b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert equal == [False, True, True, True]


def test_a_closure_s_gradients_are_turned_too() -> None:
    first, second = (nn.Conv2d(1, 2, 3) for _ in "ab")
    second.load_state_dict(first.state_dict())
    images = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))

    def closure() -> float:
        loss = first(images).square().sum()
        loss.backward()
        value: float = loss.item()
        return value

    told = Muon(first.parameters(), lr=0.1).step(closure)
    loss = second(images).square().sum()
    loss.backward()
    Muon(second.parameters(), lr=0.1).step()
    assert told == loss.item()
    assert first.weight.equal(second.weight)
