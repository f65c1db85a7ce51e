"""Pictures that people sent, kept under an id made of their content."""

import hashlib
import re
from pathlib import Path

from app.core.checkpoints import write_atomically
from app.core.errors import StorageUnavailable, UnknownImage
from app.core.images import Picture, picture_to_png, read_picture

_ID = re.compile(r"[0-9a-f]{32}")


def identify(picture: Picture) -> str:
    """A picture's id: the same for the same pixels, whatever file they came in."""
    origin = f"{picture.pixels.shape} {picture.exact} {picture.light_ink} "
    return hashlib.sha256(origin.encode() + picture.pixels.tobytes()).hexdigest()[:32]


class ImageStore:
    """A folder of PNG files. A reader never sees half of one."""

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels

    def put(self, picture: Picture) -> str:
        """Keep a picture and return its id. Raises StorageUnavailable."""
        image = identify(picture)
        path = self._path(image)
        try:
            if not path.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                write_atomically(path, picture_to_png(picture))
        except OSError as error:
            raise StorageUnavailable(
                f"Pictures can't be kept in {self._folder}: {error.strerror}. Make room there and "
                "let the server write to it, or set CONVSCOPE_DATA_DIR to another folder."
            ) from error
        return image

    def png(self, image: str) -> bytes:
        """The picture as a PNG file. Raises UnknownImage."""
        # Only an id of our own making becomes a path.
        if _ID.fullmatch(image):
            try:
                return self._path(image).read_bytes()
            except FileNotFoundError:
                pass
        raise UnknownImage(
            f"There is no image {image[:80]!r} here. Send it with POST /api/v1/images first."
        )

    def picture(self, image: str) -> Picture:
        """The picture itself. Raises UnknownImage."""
        return read_picture(self.png(image), self._max_pixels)

    def _path(self, image: str) -> Path:
        return self._folder / f"{image}.png"
