"""Pictures that people sent, kept under an id made of their content."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from app.core.errors import UnknownImage
from app.core.images import Picture, picture_to_png, read_picture


class ImageStore:
    """A folder of PNG files; the same picture always has the same id.

    A file is written beside its place and renamed, so that a reader never sees half of one.
    """

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels

    def put(self, picture: Picture) -> str:
        """Keep a picture and return its id."""
        png = picture_to_png(picture)
        image = hashlib.sha256(png).hexdigest()[:32]
        if not self._path(image).exists():
            self._write(png, self._path(image))
        return image

    def png(self, image: str) -> bytes:
        """The picture as a PNG file. Raises UnknownImage."""
        try:
            return self._path(image).read_bytes()
        except FileNotFoundError:
            raise UnknownImage(
                f"There is no image {image!r} here. Send it with POST /api/v1/images first."
            ) from None

    def picture(self, image: str) -> Picture:
        """The picture itself. Raises UnknownImage."""
        return read_picture(self.png(image), self._max_pixels)

    def _path(self, image: str) -> Path:
        # Only an id of our own making becomes a path; any other text names no file.
        known = re.fullmatch(r"[0-9a-f]{32}", image)
        return self._folder / f"{image if known else 'none'}.png"

    def _write(self, png: bytes, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as beside:
            beside.write(png)
            beside.flush()
            os.fsync(beside.fileno())
        Path(beside.name).replace(path)
