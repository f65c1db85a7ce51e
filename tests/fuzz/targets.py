"""What reads files of strangers, and what must hold whatever is in them.

Each target takes any bytes. It raises nothing where the reader either refuses them, with an error
of ours, or reads what the bytes declare.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.core.checkpoints import decode_weights, read_card
from app.core.dataset_files import PARTS, DatasetFolders, read_dataset, read_split
from app.core.errors import DatasetUnavailable, ImageTooLarge, UnreadableImage, UnreadableWeights
from app.core.images import read_picture
from app.core.importing import import_dataset
from app.core.importing_files import BadImport

MOST_PIXELS = 2**18


def pictures(data: bytes) -> None:
    """A picture has no more pixels than are allowed, and 8 bits of grey or of three colours."""
    with suppress(UnreadableImage, ImageTooLarge):
        picture = read_picture(data, MOST_PIXELS)
        assert picture.pixels.dtype == "uint8"
        assert picture.pixels.shape in (
            (picture.height, picture.width),
            (picture.height, picture.width, 3),
        )
        assert 0 < picture.height * picture.width <= MOST_PIXELS


def weights(data: bytes) -> None:
    """No tensor has more numbers than there are bytes for it."""
    with suppress(UnreadableWeights):
        assert sum(tensor.nbytes for tensor in decode_weights(data).values()) <= len(data)


def cards(data: bytes) -> None:
    """A card is of a network that there is."""
    with _file(data, "own.json") as path, suppress(UnreadableWeights):
        assert read_card(path).input_shape


def datasets(data: bytes) -> None:
    """Both parts have as many images as the description says, each of its shape and of a class."""
    with _file(data, "own.safetensors") as path, suppress(DatasetUnavailable):
        described = read_dataset(path)
        for part, count in zip(PARTS, (described.train_images, described.test_images), strict=True):
            split = read_split(path, part)
            assert split.images.shape == (count, *described.input_shape)
            assert all(0 <= label < len(described.classes) for label in split.labels.tolist())


def zips(data: bytes) -> None:
    """What is imported can be read again, and nothing is left of what is refused."""
    with tempfile.TemporaryDirectory() as folder:
        folders = DatasetFolders(Path(folder), Path(folder))
        try:
            imported = import_dataset(io.BytesIO(data), "own", folders, side=4)
        except BadImport:
            assert not list(Path(folder).iterdir())
        else:
            assert read_dataset(folders.file("own")).train_images == imported.train_images


@contextmanager
def _file(data: bytes, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        yield path


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (pictures, weights, cards, datasets, zips)
}
