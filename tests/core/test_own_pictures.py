"""Networks that learn a data set of one's own: any classes, any size, grey or colour."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from app.core.cards import card_of_run, card_to_train, with_test
from app.core.checkpoints import load_network, read_card, save_model
from app.core.dataset_files import Dataset, DatasetFolders, Split, save_dataset
from app.core.datasets import BUNDLED, find_dataset, load_split
from app.core.evaluating import compute_logits, evaluate, score, to_input
from app.core.events import Finished
from app.core.images import picture_from_image
from app.core.importing import _fit
from app.core.preparing import prepare
from app.core.recipes import BadRecipe, Recipe
from app.core.resizing import in_channels, middle
from app.core.training import _insist_on_classes, check_recipe, train
from models.registry import (
    MOST_CLASSES,
    ModelCard,
    blank_card,
    count_parameters,
    create_hollow_network,
    create_network,
    list_networks,
)

CLASSES = ("bars", "ink below", "ink above")


def split(count: int, seed: int, shape: tuple[int, int, int]) -> Split:
    """Dark marks on light paper: upright bars, or ink in the lower or the upper half."""
    generator = torch.Generator().manual_seed(seed)
    _, height, _ = shape
    images = torch.randint(190, 256, (count, *shape), generator=generator).to(torch.uint8)
    labels = torch.arange(count) % len(CLASSES)
    images[labels == 0, :, :, ::4] = 20
    images[labels == 1, :, height // 2 :] = 30
    images[labels == 2, :, : height // 2] = 30
    return Split(images, labels)


def keep(tmp_path: Path, shape: tuple[int, int, int]) -> DatasetFolders:
    own = DatasetFolders(tmp_path / "downloads", tmp_path / "kept")
    parts = split(90, 0, shape), split(30, 1, shape)
    save_dataset(own.kept, Dataset("marks", "Marks", CLASSES, shape, 90, 30), *parts)
    return own


@pytest.mark.parametrize(
    ("network", "shape"),
    [("lenet5", (3, 20, 36)), ("lenet5", (1, 28, 28)), ("cifar-3conv", (1, 24, 20))],
)
def test_what_is_measured_is_what_predictions_are(
    tmp_path: Path, network: str, shape: tuple[int, int, int]
) -> None:
    folders = keep(tmp_path, shape)
    recipe = Recipe(network, "marks", epochs=6, batch_size=10, learning_rate=0.004)
    *_, finished = train(recipe, folders)
    assert isinstance(finished, Finished)
    card = card_of_run(recipe, finished, "mine", find_dataset("marks", folders))
    assert card.classes == CLASSES
    card = read_card(save_model(tmp_path, card, finished.weights))
    model, test = load_network(card, tmp_path), load_split("marks", "test", folders)
    measured = evaluate(model, test, card)
    assert measured.accuracy > 0.9
    logits = compute_logits(model, test.images, card)
    for image, expected, label in zip(test.images, logits, test.labels, strict=True):
        found = predict(model, image, card)
        torch.testing.assert_close(found, expected, rtol=0, atol=0.05)
        assert (found.argmax() == label) == (expected.argmax() == label)


@pytest.mark.parametrize(
    ("network", "size"), [("lenet5", (20, 36)), ("lesson-06", (40, 40)), ("cifar", (64, 48))]
)
def test_a_picture_goes_the_way_that_the_training_images_went(
    network: str, size: tuple[int, int]
) -> None:
    """A file of any size is first made as large as an import would have made it."""
    card = card_to_train(network, Dataset("marks", "Marks", CLASSES, (3, *size)))
    assert card.preprocessing.size == size
    colours = np.random.default_rng(0).integers(0, 256, (150, 130, 3), np.uint8)
    smooth = Image.fromarray(colours).resize((13, 15)).resize((260, 300), Image.Resampling.BICUBIC)
    picture = picture_from_image(smooth)
    imported = _fit(picture.pixels, 3, *size)
    wanted = to_input(
        in_channels(torch.from_numpy(imported.copy())[None], card.input_shape[0]) / 255, card
    )
    prepared = prepare(picture, card.input_shape, card.preprocessing)
    torch.testing.assert_close(prepared.tensor, wanted[0], rtol=0, atol=0.02)
    # A trace tells each step's picture by its bytes, row by row.
    assert all(step.pixels.flags.c_contiguous for step in prepared.steps)


def test_a_card_of_many_classes_is_read_again(tmp_path: Path) -> None:
    classes = tuple(f"class {number}" for number in range(MOST_CLASSES))
    dataset = Dataset("many", "Many", classes, (1, 28, 28))
    card = replace(card_to_train("simple-cnn", dataset), name="many", weights="many.safetensors")
    labels = torch.arange(2 * MOST_CLASSES) % MOST_CLASSES
    logits = functional.one_hot(labels, MOST_CLASSES).float()
    card = with_test(card, score(logits, labels))
    weights = create_network("simple-cnn", MOST_CLASSES).state_dict()
    assert read_card(save_model(tmp_path, card, weights)) == card
    with pytest.raises(BadRecipe, match="1,001 classes"):
        _insist_on_classes(replace(dataset, classes=(*classes, "one more")))


def predict(model: nn.Module, image: Tensor, card: ModelCard) -> Tensor:
    """The logits of an image as a file that somebody sends."""
    pixels = image.permute(1, 2, 0).numpy()
    file = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    prepared = prepare(picture_from_image(file), card.input_shape, card.preprocessing)
    with torch.inference_mode():
        logits: Tensor = model(prepared.tensor[None])[0]
    return logits


@pytest.mark.parametrize("name", list_networks())
def test_any_network_tells_any_number_of_classes(name: str) -> None:
    ours, own = create_hollow_network(name, 3), create_hollow_network(name)
    changed = {
        key
        for key, value in own.state_dict().items()
        if value.shape != ours.state_dict()[key].shape
    }
    weight = next(key for key in changed if key.endswith("weight"))
    assert changed == {weight, weight.replace("weight", "bias")}
    assert ours.state_dict()[weight].shape == (3, own.state_dict()[weight].shape[1])
    assert count_parameters(name, 3) == sum(p.numel() for p in ours.parameters())


def test_as_many_classes_as_ever_are_the_same_network_to_the_last_bit() -> None:
    torch.manual_seed(3)
    expected = create_network("lenet5").state_dict()
    torch.manual_seed(3)
    for key, value in create_network("lenet5", 10).state_dict().items():
        assert value.equal(expected[key])


def test_pictures_are_prepared_as_their_data_set_has_them() -> None:
    assert card_to_train("digits", BUNDLED).preprocessing.method == "digit"
    own = replace(BUNDLED, name="mine", classes=("a", "b"))
    card = card_to_train("digits", own)
    assert card.preprocessing.method == "picture"
    assert (card.dataset, card.classes) == ("mine", ("a", "b"))
    assert card.parameters == blank_card("digits").parameters - 8 * (
        create_network("digits").state_dict()["fc1.weight"].shape[1] + 1
    )


def test_one_class_has_nothing_to_be_told_from(tmp_path: Path) -> None:
    own = DatasetFolders(tmp_path, tmp_path)
    parts = [
        Split(torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.zeros(10, dtype=torch.long))
        for _ in range(2)
    ]
    save_dataset(tmp_path, Dataset("lonely", "Lonely", ("all",), (1, 8, 8)), *parts)
    with pytest.raises(BadRecipe, match="one class, 'all'"):
        check_recipe(Recipe("digits", "lonely"), own)


def test_channels_are_repeated_or_become_pillow_s_grey() -> None:
    colours = torch.randint(0, 256, (2, 3, 9, 7), dtype=torch.uint8)
    grey = in_channels(colours, 1)
    for one, colour in zip(grey, colours, strict=True):
        wanted = np.asarray(Image.fromarray(colour.permute(1, 2, 0).numpy()).convert("L"))
        assert np.abs(one[0].numpy().astype(int) - wanted.astype(int)).max() <= 1
    assert in_channels(grey, 3).equal(grey.repeat(1, 3, 1, 1))
    assert in_channels(colours, 3) is colours


@pytest.mark.parametrize(
    ("size", "wanted", "part"),
    [
        ((30, 50), (10, 10), (0, 10, 30, 30)),
        ((50, 31), (10, 10), (9, 0, 31, 31)),
        ((10, 40), (20, 40), (0, 10, 10, 20)),
        ((7, 7), (28, 28), (0, 0, 7, 7)),
        ((1, 90), (200, 100), (0, 44, 1, 1)),
    ],
)
def test_the_middle_is_as_wide_for_its_height_as_is_wanted(
    size: tuple[int, int], wanted: tuple[int, int], part: tuple[int, int, int, int]
) -> None:
    assert middle(size, wanted) == part


def test_a_wide_picture_is_cut_and_not_squeezed() -> None:
    images = torch.rand(2, 1, 20, 36)
    card = replace(blank_card("digits"), input_shape=(1, 10, 10))
    wanted = functional.interpolate(
        images[:, :, :, 8:28], size=(10, 10), mode="bilinear", antialias=True
    )
    assert to_input(images, card).equal(wanted)
