"""The pictures of a request, in each of the forms in which a client may send them.

Nothing is decoded here: a source decodes its picture when a preparing thread calls it.
"""

import base64
import binascii
import json
from functools import partial
from typing import Any

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile

from app.core.errors import InvalidPixels, UnreadableImage
from app.core.images import picture_from_grey, picture_from_pixels, read_picture
from app.services.predictor import MAX_BATCH, Source

GREY = "application/octet-stream"

_FORMS = (
    'Send a picture as the field "image" of multipart/form-data, as the body itself (image/png '
    'and the like), or as JSON: {"image": base64 or data URL}, {"pixels": rows of 0..255} or '
    '{"batch": [such objects]}.'
)


async def read_sources(request: Request, max_pixels: int) -> list[Source]:
    """The request's pictures, at least one and at most 64, still to be decoded.

    Raises HTTPException 415 for a content type that is not known, 422 for a body without
    pictures, and the domain errors of pictures.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        sources = await _from_form(request, max_pixels)
    elif content_type == "application/json":
        sources = _from_json(await request.body(), max_pixels)
    elif content_type == GREY:
        sources = [partial(picture_from_grey, await request.body(), _width(request))]
    elif content_type.startswith("image/"):
        sources = [partial(read_picture, await request.body(), max_pixels)]
    else:
        said = f"The content type {content_type!r}" if content_type else "No content type"
        raise HTTPException(415, f"{said} can't be read here. {_FORMS}")
    return _counted(sources)


def _counted(sources: list[Source]) -> list[Source]:
    if not sources:
        raise HTTPException(422, f"There is no picture in the request. {_FORMS}")
    if len(sources) > MAX_BATCH:
        raise HTTPException(
            422, f"{len(sources)} pictures are too many at once: send at most {MAX_BATCH}."
        )
    return sources


def _width(request: Request) -> int | None:
    width = request.query_params.get("width")
    if width is None:
        return None
    if not (width.isascii() and width.isdigit() and 0 < int(width[:6]) < 100_000):
        raise HTTPException(422, "width: give the picture's width in pixels, a whole number.")
    return int(width)


async def _from_form(request: Request, max_pixels: int) -> list[Source]:
    async with request.form(max_files=2 * MAX_BATCH, max_fields=2 * MAX_BATCH) as form:
        fields = form.getlist("image")
        if any(not isinstance(field, UploadFile) for field in fields):
            raise HTTPException(422, 'The field "image" holds text. Attach a file, as in -F image=@7.png')
        return [
            partial(read_picture, await field.read(), max_pixels)
            for field in fields
            if isinstance(field, UploadFile)
        ]


def _from_json(body: bytes, max_pixels: int) -> list[Source]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, f"The body isn't JSON: {error}. {_FORMS}") from None
    if isinstance(content, dict) and isinstance(content.get("batch"), list):
        return [_from_object(one, max_pixels) for one in content["batch"]]
    return [_from_object(content, max_pixels)]


def _from_object(content: Any, max_pixels: int) -> Source:
    if not isinstance(content, dict) or ("image" in content) == ("pixels" in content):
        raise HTTPException(422, f'Give either "image" or "pixels". {_FORMS}')
    if "pixels" in content:
        return partial(picture_from_pixels, content["pixels"])
    return partial(read_picture, _from_base64(content["image"]), max_pixels)


def _from_base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise InvalidPixels('"image" takes text: base64 or a data URL.')
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableImage(
            '"image" isn\'t base64. Encode the bytes of a picture file, or send a data URL.'
        ) from None
