"""The pictures of a request, in each of the forms in which a client may send them.

No picture is decoded here: that is the source's, wherever it is prepared.
"""

import base64
import binascii
import re
from functools import partial
from math import prod
from string import whitespace

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser

from app.core.errors import InvalidPixels, UnreadableImage
from app.core.images import Encoded, Picture, picture_from_pixels, read_picture
from app.core.picture_parts import PACKED, count_parts
from app.core.pixel_rows import parse_json
from app.core.sniffing import png_size
from app.services.batcher import MAX_BATCH
from app.services.predictor import Source

GREY = "application/octet-stream"

# A PNG file of so many bytes, pixels and parts, none of which is a packed note, is decoded and
# prepared in some milliseconds; the pad's has 280 × 280 pixels.
_LITTLE_BYTES = 2**17
_LITTLE_PIXELS = 300 * 300
_LITTLE_PARTS = 50
# Each value of JSON may take 64 bytes, so these take 256 MB at most. As a file a picture of so many
# pixels is a fraction of it.
MOST_VALUES = 2**22
# Objects and texts: pixels are numbers in lists, and a batch of pictures has some hundreds.
MOST_OTHERS = 2**18

# An object with nothing but rows of numbers, if it is JSON at all.
_ROWS = re.compile(rb'\s*\{\s*"pixels"\s*:[\s\d\[\],.eE+-]*\}\s*')

# The files of a form, those of other routes too, stay in memory, where their bytes are counted
# already: the disk that they would else be written to may be full.
MultiPartParser.spool_max_size = 0

_FORMS = (
    'Send a picture as the field "image" of multipart/form-data, as the body itself (image/png '
    'and the like), or as JSON: {"image": base64 or data URL}, {"pixels": rows of 0..255} or '
    '{"batch": [such objects]}.'
)


async def read_sources(request: Request, max_pixels: int, width: int | None) -> list[Source]:
    """The request's pictures, at least one and at most 64, still to be decoded.

    ``width`` is that of raw grey bytes. Raises HTTPException 415 for a content type that is not
    known and 422 for a body without pictures; what a picture lacks is raised by its source.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        sources = await _from_form(request, max_pixels)
    elif content_type == "application/json":
        sources = await _from_json(await request.body(), max_pixels)
    elif content_type == GREY:
        grey = Encoded(await request.body(), max_pixels, "grey", width)
        sources = [Source(grey.read, len(grey.data) <= _LITTLE_PIXELS, grey)]
    elif content_type.startswith("image/"):
        sources = [_file(await request.body(), max_pixels)]
    else:
        said = f"The content type {content_type!r}" if content_type else "No content type"
        raise HTTPException(415, f"{said} can't be read here. {_FORMS}")
    _check_count(len(sources))
    return sources


def _check_count(count: int) -> None:
    if count > MAX_BATCH:
        raise HTTPException(
            422, f"{count} pictures are too many at once: send at most {MAX_BATCH}."
        )


def _file(data: bytes, max_pixels: int) -> Source:
    file = Encoded(data, max_pixels)
    return Source(file.read, _is_little(data), file)


def _is_little(data: bytes) -> bool:
    """Whether a picture file is soon decoded."""
    sides = png_size(data)
    if len(data) > _LITTLE_BYTES or sides is None or prod(sides) > _LITTLE_PIXELS:
        return False
    parts = count_parts(data)
    return parts.total() <= _LITTLE_PARTS and not parts.keys() & set(PACKED)


async def _from_form(request: Request, max_pixels: int) -> list[Source]:
    try:
        form = await request.form(max_files=2 * MAX_BATCH, max_fields=2 * MAX_BATCH)
    except HTTPException as error:
        raise HTTPException(422, f"The form can't be read. {error.detail} {_FORMS}") from error
    try:
        return [_file(await file.read(), max_pixels) for file in _files(form)]
    finally:
        await form.close()


def _files(form: FormData) -> list[UploadFile]:
    fields = form.getlist("image")
    files = [field for field in fields if isinstance(field, UploadFile)]
    if not fields:
        others = ", ".join(repr(name) for name in form) or "nothing that is complete"
        raise HTTPException(422, f'The form has no field "image", but {others}. {_FORMS}')
    if len(files) < len(fields):
        raise HTTPException(
            422, 'The field "image" holds text. Attach a file to it, as curl -F image=@7.png does.'
        )
    return files


async def _from_json(body: bytes, max_pixels: int) -> list[Source]:
    if len(body) > _LITTLE_BYTES:
        return await run_in_threadpool(_from_any_json, body, max_pixels)
    if _ROWS.fullmatch(body):
        rows = Encoded(body, max_pixels, "json")
        return [Source(rows.read, True, rows)]
    return _from_any_json(body, max_pixels)


def _from_any_json(body: bytes, max_pixels: int) -> list[Source]:
    content = _parse(body)
    if not isinstance(content, dict) or "batch" not in content:
        return [_from_object(content, len(body), max_pixels)]
    batch = content["batch"]
    if len(content) > 1 or not isinstance(batch, list) or not batch:
        raise HTTPException(
            422,
            f'"batch" takes a list of 1 to {MAX_BATCH} objects, and nothing beside it. {_FORMS}',
        )
    _check_count(len(batch))
    return [Source(partial(_read_object, one, max_pixels)) for one in batch]


def _parse(body: bytes) -> object:
    # A value is followed by a comma or ends a list or an object that has begun somewhere.
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > MOST_VALUES:
        raise HTTPException(
            413,
            f"The JSON has more than {MOST_VALUES:,} values. Send so large a picture as a file, or "
            f"as raw grey bytes ({GREY}).",
        )
    if body.count(b"{") + body.count(b'"') // 2 > MOST_OTHERS:
        raise HTTPException(
            413,
            f"The JSON has more than {MOST_OTHERS:,} objects and texts, and {MAX_BATCH} pictures "
            f"need few. {_FORMS}",
        )
    return parse_json(body)


def _from_object(content: object, size: int, max_pixels: int) -> Source:
    """The picture of an object that took so many bytes of JSON."""
    little = size <= _LITTLE_BYTES
    if little and isinstance(content, dict) and list(content) == ["image"]:
        return _file(_decode(content["image"]), max_pixels)
    return Source(partial(_read_object, content, max_pixels), little)


def _read_object(content: object, max_pixels: int) -> Picture:
    keys = list(content) if isinstance(content, dict) else []
    if not isinstance(content, dict) or keys not in (["image"], ["pixels"]):
        said = ", ".join(repr(key[:20]) for key in keys[:9]) or "nothing of that kind"
        raise UnreadableImage(
            f'A picture is an object with either "image" or "pixels"; this has {said}. {_FORMS}'
        )
    if "pixels" in content:
        return picture_from_pixels(content["pixels"], max_pixels)
    return read_picture(_decode(content["image"]), max_pixels)


def _decode(text: object) -> bytes:
    if not isinstance(text, str):
        raise InvalidPixels('"image" takes text: the base64 of a picture file, or a data URL.')
    header, _, data = text.partition(",") if text.startswith("data:") else ("", "", text)
    if header and not header.endswith(";base64"):
        raise UnreadableImage(
            '"image" is a data URL without base64. Send one that begins like '
            "data:image/png;base64, and goes on with the base64 of a picture file."
        )
    try:
        return base64.b64decode(data.encode().translate(None, whitespace.encode()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableImage(
            '"image" isn\'t base64. Encode the bytes of a picture file, or send a data URL.'
        ) from None
