"""Models on disk: weights as safetensors and cards as JSON, each whole or not there at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from app.core.declared_types import LARGEST, fits
from app.core.errors import StorageUnavailable, UnreadableWeights
from app.core.evaluating import Bin
from app.core.whole_files import write_together
from models.registry import (
    MOST_CLASSES,
    ModelCard,
    Preprocessing,
    blank_card,
    create_hollow_network,
    create_network,
    input_shape_of,
    list_networks,
)

MOST_HEADER_BYTES = 1024 * 1024
# Which class was taken for which, a million numbers, is most of the largest.
MOST_CARD_BYTES = 16 * MOST_HEADER_BYTES
# More than the largest picture of an import has.
MOST_PIXELS = 2**26
# Values of 0..1 become no larger than its square, which no network overflows with.
MOST_SCALE = 1000


def encode_weights(weights: Mapping[str, Tensor]) -> bytes:
    """Weights by parameter name as safetensors."""
    return save({name: value.detach().cpu().contiguous() for name, value in weights.items()})


def decode_weights(content: bytes) -> dict[str, Tensor]:
    """Weights by parameter name from safetensors. Raises UnreadableWeights."""
    try:
        return load(content)
    except SafetensorError as error:
        raise UnreadableWeights(
            f"The weights can't be read: the file is damaged or cut short ({error})."
        ) from error


def save_model(folder: Path, card: ModelCard, weights: Mapping[str, Tensor]) -> Path:
    """Write the card as ``<name>.json`` and the weights beside it; returns the card's path.

    The card comes last, so that whoever finds a card finds its weights. Raises StorageUnavailable,
    and ValueError for a card that names no weights.
    """
    if card.weights is None:
        raise ValueError(f"The card of {card.name} names no file for its weights.")
    path = folder / f"{card.name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = {folder / card.weights: encode_weights(weights), path: card.to_json().encode()}
        write_together(files)
    except OSError as error:
        raise StorageUnavailable(
            f"The model {card.name} can't be written to {folder}: {error.strerror}. Make room "
            "there, or choose another folder."
        ) from error
    return path


def load_network(card: ModelCard, folder: Path) -> nn.Module:
    """The card's network with its weights, in evaluation mode; the weights' file is in ``folder``.

    Raises UnreadableWeights where the file is missing, damaged or of another network.
    """
    if card.weights is None:
        raise UnreadableWeights(f"{card.name} is untrained: its card names no weights.")
    try:
        hollow = create_hollow_network(card.network, len(card.classes))
    except KeyError as error:
        raise UnreadableWeights(f"There is no network called {error} for {card.name}.") from error
    # No weight takes more than 8 bytes, and their names take less than this.
    most = sum(8 * tensor.numel() for tensor in hollow.state_dict().values()) + MOST_HEADER_BYTES
    return network_of(card, _read(folder / Path(card.weights).name, most))


def network_of(card: ModelCard, content: bytes) -> nn.Module:
    """The card's network with weights out of a safetensors file, in evaluation mode.

    Raises UnreadableWeights where they are damaged or another network's.
    """
    weights = decode_weights(content)
    if not all(value.isfinite().all() for value in weights.values()):
        raise UnreadableWeights(
            f"{card.weights} is damaged: it holds values that are no numbers. Remove the model "
            f"{card.name}, or put a copy of the file in its place."
        )
    try:
        network = create_network(card.network, len(card.classes))
        network.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise UnreadableWeights(
            f"{card.weights} doesn't fit the network {card.network!r}: {error}"
        ) from error
    return network.eval()


def read_card(path: Path) -> ModelCard:
    """The card at ``path``. Raises UnreadableWeights where it is none, or has a field that nothing
    could be made of."""
    try:
        card = ModelCard.from_json(_read(path, MOST_CARD_BYTES).decode())
        _check_types(path, card)
        _check_shapes(card)
        _check_preprocessing(card.preprocessing, card.input_shape[0])
        _check_evaluation(card)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableWeights(f"{path} is not a model card: {error}.") from error
    return card


# What was measured is a number, but for these.
_MEASURED: dict[str, Any] = {
    "drawings": dict[str, float],
    "test_confusion": list[list[int]],
    "test_calibration": list[dict[str, float]],
}


def _check_types(path: Path, card: ModelCard) -> None:
    """Raise ValueError where a page or an answer couldn't tell what the card says."""
    if not fits(path.stem, str):
        raise ValueError("its name is no text")
    for name, form in get_type_hints(ModelCard).items():
        if not fits(getattr(card, name), form):
            raise ValueError(f"its {name} is nothing that a card can have there")
    for name, measured in card.metrics.items():
        if not fits(measured, _MEASURED.get(name, float)):
            raise ValueError(f"its {name[:60]} is nothing that can have been measured")


def _check_shapes(card: ModelCard) -> None:
    """Raise ValueError where memory would be taken for an input or for classes that aren't the
    network's."""
    if card.network not in list_networks():
        raise ValueError(f"there is no network called {card.network[:60]!r}")
    shape, classes = input_shape_of(card.network), len(card.classes)
    if card.input_shape != shape:
        said = str(card.input_shape)[:60]
        raise ValueError(f"the network {card.network} takes inputs of {shape}, not of {said}")
    if not 1 <= classes <= MOST_CLASSES:
        raise ValueError(f"it has {classes} classes, and 1 to {MOST_CLASSES:,} go")
    if card.weights is None and classes != (own := len(blank_card(card.network).classes)):
        raise ValueError(f"without weights the network {card.network} tells {own} classes")


def _check_preprocessing(preprocessing: Preprocessing, channels: int) -> None:
    """Raise ValueError where values of 0..1 would become none, or none that a network knows."""
    for low, numbers in ((-MOST_SCALE, preprocessing.mean), (1 / MOST_SCALE, preprocessing.std)):
        if len(numbers) not in (1, channels) or not all(low <= n <= MOST_SCALE for n in numbers):
            raise ValueError("its preprocessing has not a mean and a deviation for each channel")
    height, width = preprocessing.size or (1, 1)
    if min(height, width) < 1 or height * width > MOST_PIXELS:
        raise ValueError("its preprocessing has no size that pictures could have")


def _check_evaluation(card: ModelCard) -> None:
    """Raise ValueError where what was measured on the test split doesn't belong together."""
    if "test_confusion" not in card.metrics:
        return
    confusion = card.metrics["test_confusion"]
    square = {len(card.classes)} == {len(confusion), *map(len, confusion)}
    if not square or min(map(min, confusion)) < 0 or not 0 < sum(map(sum, confusion)) < LARGEST:
        raise ValueError("its test_confusion doesn't count images by true and predicted classes")
    bins = [Bin(**one) for one in card.metrics["test_calibration"]]
    if not all(fits(one, Bin) for one in bins) or sum(one.count for one in bins) <= 0:
        raise ValueError("its test_calibration doesn't count images by their probability")
    if "test_loss" not in card.metrics:
        raise ValueError("its test_loss is missing")


def _read(path: Path, most: int) -> bytes:
    """The content of a file. Raises UnreadableWeights, too where it has more than so many bytes."""
    try:
        if (size := path.stat().st_size) > most:
            raise UnreadableWeights(
                f"{path} has {size:,} bytes, more than the {most:,} that it can have."
            )
        return path.read_bytes()
    except OSError as error:
        raise UnreadableWeights(f"{path} can't be read: {error.strerror}.") from error
