import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from app.core.augmenting import (
    BadAugmentation,
    create_augmentation,
    highest,
    list_augmentations,
)
from app.core.augmenting_shapes import affine, elastic, refit, thickness
from app.core.augmenting_tones import blur, contrast, specks


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def bars(n: int = 8, width: int = 4) -> Tensor:
    """Upright bars of ``width`` x 16 pixels in the middle of 28 x 28."""
    images = torch.zeros(n, 1, 28, 28)
    left = 14 - width // 2
    images[:, :, 6:22, left : left + width] = 1
    return images


@pytest.mark.parametrize("name", list_augmentations())
@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 32, 24)])
def test_shape_and_range_stay(name: str, shape: tuple[int, ...]) -> None:
    images = torch.rand(shape)
    before = images.clone()
    changed = create_augmentation([{"name": name}])(images, seeded())
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert 0 <= changed.min() <= changed.max() <= 1
    assert images.equal(before), "the images themselves were changed"


@pytest.mark.parametrize("name", list_augmentations())
def test_the_highest_parameters_stay_within_the_range(name: str) -> None:
    entry = {"name": name, **{key: highest(key) for key in list_augmentations()[name]}}
    changed = create_augmentation([entry])(torch.rand(4, 3, 28, 28), seeded())
    assert changed.shape == (4, 3, 28, 28)
    assert 0 <= changed.min() <= changed.max() <= 1


@pytest.mark.parametrize("name", list_augmentations())
def test_the_generator_alone_decides(name: str) -> None:
    apply = create_augmentation([{"name": name, "share": 0.5}])
    torch.manual_seed(1)
    first = apply(bars(), seeded(7))
    torch.manual_seed(2)
    assert apply(bars(), seeded(7)).equal(first)


@pytest.mark.parametrize("name", sorted(set(list_augmentations()) - {"refit", "resize"}))
def test_another_seed_gives_other_images(name: str) -> None:
    apply = create_augmentation([{"name": name}])
    images = torch.rand(32, 3, 28, 28) * bars(32)
    assert not apply(images, seeded(1)).equal(apply(images, seeded(2)))


@pytest.mark.parametrize("name", list_augmentations())
def test_an_empty_image_stays_a_number(name: str) -> None:
    changed = create_augmentation([{"name": name}])(torch.zeros(3, 1, 28, 28), seeded())
    assert changed.isfinite().all()


def test_a_share_of_the_images_is_changed() -> None:
    images = torch.rand(2000, 1, 8, 8)
    apply = create_augmentation([{"name": "contrast", "share": 0.25}])
    changed = (apply(images, seeded()) != images).any(dim=(1, 2, 3)).float().mean()
    assert changed == pytest.approx(0.25, abs=0.04)
    nothing = create_augmentation([{"name": "contrast", "share": 0}])
    assert nothing(images, seeded()).equal(images)


def test_augmentations_follow_each_other_in_the_recipe_s_order() -> None:
    entries = [{"name": "thickness"}, {"name": "blur"}]
    generator = seeded(4)
    by_hand: list[Tensor] = []
    for entry in entries:
        images = by_hand[-1] if by_hand else bars()
        by_hand.append(create_augmentation([entry])(images, generator))
    assert create_augmentation(entries)(bars(), seeded(4)).equal(by_hand[-1])


def test_affine_without_limits_changes_nothing() -> None:
    images = torch.rand(4, 1, 28, 28)
    same = affine(images, seeded(), rotation=0, slant=0, scale=0, aspect=0, translation=0)
    torch.testing.assert_close(same, images, atol=1e-4, rtol=0)


def angle_of(image: Tensor) -> float:
    """The direction of the ink's longest axis, in degrees from upright: second moments."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    mass = image[0] / image.sum()
    dx, dy = x - (mass * x).sum(), y - (mass * y).sum()
    xx, yy, xy = ((mass * product).sum() for product in (dx * dx, dy * dy, dx * dy))
    return math.degrees(0.5 * math.atan2(2 * xy, yy - xx))


def test_affine_rotates_by_no_more_than_its_limit_and_to_both_sides() -> None:
    turned = affine(bars(64), seeded(), rotation=20, slant=0, scale=0, aspect=0, translation=0)
    angles = [angle_of(image) for image in turned]
    assert 15 < max(angles) < 20.5
    assert -20.5 < min(angles) < -15


def test_affine_slants_by_its_limit() -> None:
    slanted = affine(bars(64), seeded(), rotation=0, slant=0.5, scale=0, aspect=0, translation=0)
    tops = (slanted[:, 0, 8] * torch.arange(28.0)).sum(dim=1) / slanted[:, 0, 8].sum(dim=1)
    feet = (slanted[:, 0, 19] * torch.arange(28.0)).sum(dim=1) / slanted[:, 0, 19].sum(dim=1)
    shifts = (tops - feet) / 11
    assert 0.4 < shifts.max() < 0.51
    assert -0.51 < shifts.min() < -0.4


def test_turning_and_slanting_together_keep_the_area() -> None:
    changed = affine(bars(64), seeded(), rotation=45, slant=0.5, scale=0, aspect=0, translation=0)
    ink = changed.sum(dim=(1, 2, 3)) / bars(1).sum()
    torch.testing.assert_close(ink, torch.ones(64), rtol=0, atol=0.03)


def test_affine_moves_by_pixels() -> None:
    moved = affine(bars(64), seeded(), rotation=0, slant=0, scale=0, aspect=0, translation=3)
    columns = torch.arange(28.0)
    centres = (moved.sum(dim=2)[:, 0] * columns).sum(dim=1) / moved.sum(dim=(1, 2, 3)) - 13.5
    assert 2.5 < centres.max() < 3.01
    assert -3.01 < centres.min() < -2.5


def test_affine_scales_and_stretches_as_the_ink_shows() -> None:
    larger = affine(bars(64), seeded(), rotation=0, slant=0, scale=0.25, aspect=0, translation=0)
    ink = larger.sum(dim=(1, 2, 3)) / bars(1).sum()
    assert 1.45 < ink.max() < 1.25**2 + 0.02
    assert 1.25**-2 - 0.02 < ink.min() < 0.7
    wider = affine(bars(64), seeded(), rotation=0, slant=0, scale=0, aspect=0.5, translation=0)
    torch.testing.assert_close(
        wider.sum(dim=(1, 2, 3)), bars(64).sum(dim=(1, 2, 3)), rtol=0.03, atol=0
    )


def test_elastic_bends_by_about_its_strength() -> None:
    ramp = torch.linspace(0, 1, 28).expand(64, 1, 28, 28)
    shift = (elastic(ramp, seeded(), strength=2.0) - ramp)[:, :, 8:20, 8:20] * 27
    assert 0.7 < shift.std() < 1.3  # the deviation is half the strength


def width_of(images: Tensor) -> Tensor:
    return images[:, 0, 14].sum(dim=1)


def test_thickness_widens_and_narrows_strokes_by_pixels() -> None:
    widths = width_of(thickness(bars(256, width=6), seeded(), thinner=1.5, thicker=2.5))
    assert widths.max() == pytest.approx(6 + 2.5, abs=0.3)
    assert widths.min() == pytest.approx(6 - 1.5, abs=0.3)


def test_thickness_never_rubs_a_thin_stroke_out() -> None:
    thin = thickness(bars(256, width=1), seeded(), thinner=4, thicker=0)
    assert (thin.sum(dim=(1, 2, 3)) > bars(1, width=1).sum() / 9).all()


def test_refit_scales_the_ink_to_20_pixels_and_centres_its_mass() -> None:
    small = torch.zeros(1, 1, 28, 28)
    small[0, 0, 2:12, 1:5] = 1
    fitted = refit(small, seeded())[0, 0]
    rows = (fitted > 0.5).any(dim=1).nonzero().flatten()
    columns = (fitted > 0.5).any(dim=0).nonzero().flatten()
    assert len(rows) == 20
    assert len(columns) == 8
    places = torch.arange(28.0)
    for axis in (0, 1):
        centre = (fitted.sum(dim=axis) * places).sum() / fitted.sum()
        assert centre == pytest.approx(13.5, abs=0.05)


def test_refit_is_done_after_once() -> None:
    fitted = refit(bars(), seeded())
    torch.testing.assert_close(refit(fitted, seeded()), fitted, atol=0.05, rtol=0)


def test_contrast_keeps_the_order_of_values() -> None:
    ramp = torch.linspace(0, 1, 28).expand(16, 1, 28, 28)
    changed = contrast(ramp, seeded(), gamma=1.0, fading=0.4)
    assert (changed.diff(dim=3) >= 0).all()
    assert (changed.amax(dim=(1, 2, 3)) >= 0.6).all()


def test_blur_keeps_the_ink_and_lowers_the_contrast() -> None:
    blurred = blur(bars(), seeded(), radius=1.0)
    torch.testing.assert_close(blurred.sum(), bars().sum(), rtol=0.01, atol=0)
    assert blurred.var() < bars().var()


def test_specks_are_as_dense_as_asked() -> None:
    dark = torch.zeros(200, 1, 28, 28)
    specked = specks(dark, seeded(), grain=0.0, density=0.01)
    assert (specked > 0).float().mean() == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"name": "mirror"}, "affine"),
        ({}, "None"),
        ({"name": "affine", "tilt": 3}, "rotation"),
        ({"name": "blur", "radius": -1}, "radius"),
        ({"name": "blur", "radius": "wide"}, "radius"),
        ({"name": "blur", "share": 1.5}, "share"),
        ({"name": "thickness", "thicker": 4.5}, "0 to 4, not 4.5"),
    ],
)
def test_a_wrong_entry_is_refused_before_the_training(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(BadAugmentation, match=words):
        create_augmentation([entry])
