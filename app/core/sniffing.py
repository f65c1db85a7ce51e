"""What a file looks like that can't be read, in words for the person who sent it."""

from typing import Final

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP")

READ_HERE = "PNG, JPEG, WebP, GIF and BMP are read here."

_BEGINNINGS: Final = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
)

_OTHERS: Final = (
    (b"%PDF", "a PDF document"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x93NUMPY", "a NumPy array"),
)

_BRANDS: Final = {
    b"heic": "a HEIC photo",
    b"heix": "a HEIC photo",
    b"mif1": "a HEIF photo",
    b"avif": "an AVIF image",
}


def png_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the header of a PNG file tells them; None for other files.

    The header is the first 24 bytes (https://www.w3.org/TR/png-3/#11IHDR).
    """
    if not data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or len(data) < 24:
        return None
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def guess_format(data: bytes) -> str:
    """A sentence that says what unreadable bytes look like and what to send instead."""
    if not data:
        return f"The file is empty: zero bytes arrived. Choose a picture; {READ_HERE}"
    for beginning, name in _BEGINNINGS:
        if data.startswith(beginning):
            return _damaged(name)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _damaged("WebP")
    return f"This is not a picture that can be read; it looks like {_kind(data)}. {READ_HERE}"


def damage(name: str, error: Exception) -> str:
    """A sentence for a picture that began well and failed while it was decoded."""
    if isinstance(error, MemoryError):
        return f"The {name} picture needs more memory than there is. Send a smaller one."
    return _damaged({"WEBP": "WebP", "MPO": "JPEG"}.get(name, name))


def _damaged(name: str) -> str:
    return (
        f"The file begins like a {name} picture, but it is damaged or incomplete. "
        f"Save or download it again; {READ_HERE}"
    )


def _kind(data: bytes) -> str:
    for beginning, kind in _OTHERS:
        if data.startswith(beginning):
            return kind
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video or a HEIF photo")
    return _kind_of_text(data[:1024])


def _kind_of_text(beginning: bytes) -> str:
    text = beginning.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "ignore").strip().lower()
    if "<svg" in text:
        return "an SVG drawing"
    if text.startswith(("<!doctype html", "<html")) or "<body" in text:
        return "an HTML page"
    if text.startswith(("{", "[")):
        return "JSON"
    if text and all(character.isprintable() or character.isspace() for character in text):
        return "text"
    return "binary data of another kind"
