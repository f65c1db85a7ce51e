from pathlib import Path

import pytest
import torch
from torch import nn

from app.core.dataset_files import DatasetFolders, Split
from app.core.datasets import load_split
from app.core.drawings import KINDS
from app.core.errors import EmptyDrawing
from app.core.evaluating_drawings import DrawingsRead, evaluate_drawings
from models.registry import blank_card


class AlwaysThree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.eye(10)[3])
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        return self.logits.expand(len(images), 10)


@pytest.fixture(scope="module")
def digits() -> Split:
    split = load_split("optdigits", "train", DatasetFolders(Path(), Path()))
    return split.take(torch.tensor([3, 13, 1]))  # two threes and a one


def test_every_kind_is_drawn_prepared_and_counted(digits: Split) -> None:
    network = AlwaysThree()
    results = list(evaluate_drawings(network, blank_card("digits"), digits))
    assert [result.kind for result in results] == list(KINDS)
    assert all((result.count, result.recognised) == (3, 2) for result in results)
    assert results[0].accuracy == pytest.approx(2 / 3)
    assert all(images.shape == (3, 1, 28, 28) for images in network.seen)


def test_the_seed_decides_the_drawings(digits: Split) -> None:
    drawn = []
    for seed in (1, 1, 2):
        network = AlwaysThree()
        next(evaluate_drawings(network, blank_card("digits"), digits, seed))
        drawn.append(network.seen[0])
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])


def test_a_drawing_that_cannot_be_prepared_counts_as_not_recognised(
    digits: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise EmptyDrawing("nothing there")

    monkeypatch.setattr("app.core.evaluating_drawings.prepare", refuse)
    result = next(evaluate_drawings(AlwaysThree(), blank_card("digits"), digits))
    assert result == DrawingsRead(KINDS[0], count=3, recognised=0, refused=3)
    assert result.accuracy == 0
