"""The convolution that whitens, against the covariance of what it gives."""

import pytest
import torch

from models.whitening import WhiteningConv2d


@pytest.fixture
def pictures() -> torch.Tensor:
    """Smooth pictures whose colours go together, as those of photographs do."""
    chance = torch.Generator().manual_seed(3)
    light = torch.randn(200, 1, 12, 12, generator=chance)
    colours = 0.3 * torch.randn(200, 3, 12, 12, generator=chance)
    return torch.nn.functional.avg_pool2d(light + colours, 3, stride=1)


def test_its_outputs_are_uncorrelated_and_of_equal_size(pictures: torch.Tensor) -> None:
    layer = WhiteningConv2d(3, kernel_size=2)
    layer.fit(pictures, smallest=0.0)
    torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    first, second = layer(pictures).split(12, dim=1)
    torch.testing.assert_close(second, -first)
    outputs = first.detach().transpose(0, 1).flatten(1).double()
    covariance = outputs @ outputs.T / outputs.shape[1]
    torch.testing.assert_close(covariance, torch.eye(12).double(), rtol=0, atol=1e-3)


def test_the_first_filter_sees_what_varies_most(pictures: torch.Tensor) -> None:
    layer = WhiteningConv2d(3, kernel_size=2)
    layer.fit(pictures)
    brightness = layer.weight[0].flatten()
    assert (brightness.sign() == brightness[0].sign()).all()
    norms = layer.weight[:12].flatten(1).norm(dim=1)
    assert (norms.diff() >= 0).all()


def test_noise_is_not_blown_up() -> None:
    layer = WhiteningConv2d(3, kernel_size=2)
    layer.fit(torch.zeros(2, 3, 5, 5), smallest=0.25)
    torch.testing.assert_close(layer.weight.flatten(1).norm(dim=1), torch.full((24,), 2.0))
