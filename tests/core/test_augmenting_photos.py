"""The augmentations of photographs, against torchvision's, Pillow's and what the eye would see."""

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from app.core.augmenting_shapes import (
    crop,
    erase,
    horizontal_flip,
    resize,
    rotation,
    vertical_flip,
)
from app.core.augmenting_tones import grayscale, jitter, luma
from app.core.torchvision_operators import declare_torchvision_operators


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def photos(n: int = 64, side: int = 12) -> Tensor:
    return torch.rand(n, 3, side, side, generator=seeded(9))


@pytest.mark.parametrize(("flip", "axis"), [(horizontal_flip, 3), (vertical_flip, 2)])
def test_a_flip_mirrors_its_share_of_the_images(flip: type, axis: int) -> None:
    images = photos(1000, 4)
    flipped = flip(images, seeded(), p=0.3)
    mirrored = (flipped == images.flip(axis)).all(dim=(1, 2, 3))
    kept = (flipped == images).all(dim=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert mirrored.float().mean() == pytest.approx(0.3, abs=0.05)


def test_a_crop_is_a_window_of_the_mirrored_surroundings() -> None:
    images = photos(200, 6)
    padded = functional.pad(images, (2, 2, 2, 2), mode="reflect")
    places = set()
    for image, around in zip(crop(images, seeded(), padding=2), padded, strict=True):
        windows = {
            (top, left): around[:, top : top + 6, left : left + 6]
            for top in range(5)
            for left in range(5)
        }
        places |= {place for place, window in windows.items() if window.equal(image)}
    assert len(places) == 25


def test_a_rotation_is_torchvision_s_of_some_angle() -> None:
    declare_torchvision_operators()
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import rotate

    image = photos(1, 21)
    turned = rotation(image, seeded(3), degrees=30)
    angle = float((2 * torch.rand(1, generator=seeded(3)) - 1) * 30)
    wanted = rotate(image, angle, InterpolationMode.BILINEAR)
    torch.testing.assert_close(turned[..., 6:15, 6:15], wanted[..., 6:15, 6:15], atol=2e-3, rtol=0)


@pytest.mark.parametrize("property_", ["brightness", "contrast", "saturation"])
def test_jitter_is_torchvision_s_by_some_factor(property_: str) -> None:
    declare_torchvision_operators()
    from torchvision.transforms import functional as vision

    adjust = getattr(vision, f"adjust_{property_}")
    images = photos(40) * 0.6 + 0.2
    none = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
    changed = jitter(images, seeded(), **{**none, property_: 0.25})
    factors = []
    for image, result in zip(images, changed, strict=True):
        # The factor that fits the first unclipped number fits all.
        one, two = adjust(image, 1.0), adjust(image, 1.25)
        slope = (two - one) / 0.25
        inside = (two > 0.01) & (two < 0.99) & (slope.abs() > 0.02)
        factor = 1 + float(((result - one)[inside] / slope[inside]).median())
        torch.testing.assert_close(adjust(image, factor), result, atol=4e-3, rtol=0)
        factors.append(factor)
    assert 0.75 <= min(factors) < 0.85
    assert 1.15 < max(factors) <= 1.2501


def test_luma_is_pillow_s() -> None:
    from PIL import Image

    pixels = (photos(1, 16)[0] * 255).round()
    image = Image.fromarray(pixels.permute(1, 2, 0).byte().numpy())
    wanted = torch.tensor(list(image.convert("L").tobytes())).reshape(16, 16)
    assert (luma(pixels[None])[0, 0] - wanted).abs().max() <= 0.51


def test_grayscale_takes_the_colour_of_its_share() -> None:
    images = photos(1000, 2)
    changed = grayscale(images, seeded(), p=0.2)
    grey = (changed == luma(images)).all(dim=(1, 2, 3))
    assert (grey ^ (changed == images).all(dim=(1, 2, 3))).all()
    assert grey.float().mean() == pytest.approx(0.2, abs=0.04)


def test_resizing_takes_detail_and_leaves_a_flat_image() -> None:
    flat = torch.full((2, 3, 32, 32), 0.3)
    torch.testing.assert_close(resize(flat, seeded(), size=8), flat)
    images = photos(4, 32)
    assert resize(images, seeded(), size=8).var() < images.var() / 4
    assert resize(images, seeded(), size=32).equal(images)


def test_erasing_greys_out_one_square() -> None:
    images = torch.zeros(300, 3, 32, 32)
    erased = erase(images, seeded(), size=8)
    assert ((erased == 0) | (erased == 0.5)).all()
    assert (erased > 0).sum(dim=(1, 2, 3)).max() == 3 * 64
    rows = (erased[:, 0] > 0).any(dim=2).sum(dim=1)
    columns = (erased[:, 0] > 0).any(dim=1).sum(dim=1)
    assert (rows * columns == (erased[:, 0] > 0).sum(dim=(1, 2))).all()
