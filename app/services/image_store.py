"""Pictures that people sent, kept under an id made of their content."""

import hashlib
import re
from pathlib import Path

from app.core.errors import (
    DamagedImage,
    StorageUnavailable,
    UnknownImage,
    UnreadableImage,
)
from app.core.images import Picture, picture_to_png, read_picture
from app.core.whole_files import keep_content

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
        """Keep a picture and return its id; a damaged file of it is replaced. Raises
        StorageUnavailable."""
        image = identify(picture)
        try:
            keep_content(self._path(image), picture_to_png(picture))
        except OSError as error:
            raise StorageUnavailable(
                f"Pictures can't be kept in {self._folder}: {error.strerror}. Make room there and "
                "let the server write to it, or set CONVSCOPE_DATA_DIR to another folder."
            ) from error
        return image

    def png(self, image: str) -> bytes:
        """The picture as a PNG file. Raises UnknownImage and DamagedImage."""
        return self._read(image)[0]

    def picture(self, image: str) -> Picture:
        """The picture itself. Raises UnknownImage and DamagedImage, and ImageTooLarge
        where the limit is a lower one by now."""
        return self._read(image)[1]

    def _read(self, image: str) -> tuple[bytes, Picture]:
        # Only an id of our own making becomes a path.
        if not _ID.fullmatch(image) or not (path := self._path(image)).exists():
            raise UnknownImage(
                f"There is no image {image[:80]!r} here. Send it with POST /api/v1/images first."
            )
        try:
            content = path.read_bytes()
            picture = read_picture(content, self._max_pixels)
        except (OSError, UnreadableImage) as error:
            raise _damaged(path) from error
        if identify(picture) != image:
            raise _damaged(path)
        return content, picture

    def _path(self, image: str) -> Path:
        return self._folder / f"{image}.png"


def _damaged(path: Path) -> DamagedImage:
    return DamagedImage(
        f"{path} no longer holds the picture that was kept there. Send it again with POST "
        "/api/v1/images, or remove the file."
    )
