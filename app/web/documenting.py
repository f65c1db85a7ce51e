"""What OpenAPI says beyond the signatures: error lists, bodies and examples."""

from typing import Any

from app.web.examples import example_data_url, example_rows
from app.web.schemas import ProblemAnswer

_MEANING = {
    404: "There is no such model, layer, channel or image; the detail says which there are.",
    413: "The body or the picture is too large.",
    415: "The content type can't be read.",
    422: "The request can't be used; the detail says what to correct.",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of an operation, for ``responses=``."""
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    content = {"application/problem+json": {"schema": schema}}
    return {
        code: {"model": ProblemAnswer, "description": _MEANING[code], "content": content}
        for code in codes
    }


def binary(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """A successful answer that is a file."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


_FILE = {"type": "string", "format": "binary"}
_PIXELS = {
    "type": "array",
    "description": "H x W or H x W x 3 of 0..255; exactly the model's input size is taken as it is",
    "items": {"type": "array", "items": {}},
}
_PICTURE = {
    "type": "object",
    "properties": {
        "image": {"type": "string", "description": "base64 or a data URL of a picture file"},
        "pixels": _PIXELS,
    },
}
_BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {"type": "array", "minItems": 1, "maxItems": 64, "items": _PICTURE}
    },
}


def picture_body(batches: bool) -> dict[str, Any]:
    """The request body of an operation that takes a picture, for ``openapi_extra=``."""
    examples = {
        "picture": {"summary": "A picture file", "value": {"image": example_data_url()}},
        "pixels": {"summary": "Pixels", "value": {"pixels": example_rows()}},
    }
    if batches:
        batch = [{"image": example_data_url()}, {"pixels": example_rows()}]
        examples["batch"] = {"summary": "Two at once", "value": {"batch": batch}}
    form = {"type": "object", "required": ["image"], "properties": {"image": _files(batches)}}
    json = {"anyOf": [_PICTURE, _BATCH]} if batches else _PICTURE
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": json, "examples": examples},
                "multipart/form-data": {"schema": form},
                "application/octet-stream": {"schema": _FILE},
                "image/png": {"schema": _FILE},
            },
        }
    }


def _files(several: bool) -> dict[str, Any]:
    return {"type": "array", "items": _FILE, "maxItems": 64} if several else _FILE
