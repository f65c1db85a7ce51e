"""What OpenAPI says beyond the signatures: error lists, bodies and examples."""

from typing import Any

from fastapi.openapi.models import Example

from app.web.examples import example_data_url, example_image, example_rows
from app.web.schemas import ProblemAnswer

Responses = dict[int | str, dict[str, Any]]
Examples = dict[str, Example]

DESCRIPTION = """
Send a picture and get the prediction, every layer's activations, the filters: each number that the
network computes. Every error is a problem document (RFC 9457) whose `detail` says what to do.
"""

MODEL: Examples = {
    "digits": {"summary": "The default", "value": "digits"},
    "convnet-revisited": {"summary": "The smallest", "value": "convnet-revisited"},
}
LAYER: Examples = {"conv1": {"summary": "The first convolution", "value": "conv1"}}
CHANNEL: Examples = {"first": {"summary": "The first", "value": 0}}
ROW: Examples = {"middle": {"summary": "The middle of conv1", "value": 14}}
COLUMN: Examples = ROW
UNIT: Examples = {
    "none": {"summary": "None", "value": ""},
    "sum": {"summary": "A sum of products", "value": "conv1/0/14/14"},
}
IMAGE: Examples = {"seven": {"summary": "A seven, always there", "value": example_image()}}
LAYERS: Examples = {
    "all": {"summary": "All layers", "value": ""},
    "two": {"summary": "Two of them", "value": "conv1,softmax"},
    "some": {"summary": "Some channels of two", "value": "conv1:4,conv2@7"},
}

RUN: Examples = {"one": {"summary": "As POST /api/v1/runs answers it", "value": "5f0c2a91d3e8"}}
RECIPES: Examples = {
    "quick": {
        "summary": "Some seconds",
        "value": {"network": "convnet-revisited", "dataset": "optdigits", "epochs": 2},
    },
    "more": {
        "summary": "With augmentation",
        "value": {
            "network": "simple-cnn",
            "dataset": "optdigits",
            "epochs": 2,
            "batch_size": 64,
            "optimizer": "sgd",
            "learning_rate": 0.05,
            "augmentation": ["rotation", {"name": "crop", "padding": 2}],
        },
    },
}
SWEEP: Examples = {"one": {"summary": "As POST /api/v1/sweeps answers it", "value": "b7d10c44e29f"}}
_SWEPT = {"network": "simple-cnn", "dataset": "optdigits", "epochs": 2}
PLANS: Examples = {
    "grid": {
        "summary": "Every combination",
        "value": {
            "recipe": _SWEPT,
            "search": "grid",
            "fields": {"optimizer": ["sgd", "adamw"], "batch_size": [64, 128]},
        },
    },
    "random": {
        "summary": "A random sample, the rest stopped early",
        "value": {
            "recipe": _SWEPT,
            "search": "random",
            "fields": {
                "learning_rate": {"low": 0.0001, "high": 0.1, "scale": "log"},
                "epochs": {"low": 1, "high": 3},
                "augmentation": [[], ["rotation"]],
            },
            "samples": 4,
            "seed": 0,
            "stop_early": True,
        },
    },
}
EDITS: Examples = {
    "off": {
        "summary": "Switch a channel off",
        "value": {"edits": [{"layer": "conv1", "channel": 3, "off": True}]},
    },
    "kernel": {
        "summary": "A kernel of one's own",
        "value": {
            "edits": [
                {
                    "layer": "conv1",
                    "channel": 0,
                    "kernel": [[0, 0, 0, 0, 0]] * 2 + [[0, 0, 1, 0, 0]] + [[0, 0, 0, 0, 0]] * 2,
                }
            ]
        },
    },
    "numbers": {
        "summary": "One weight and one bias",
        "value": {
            "edits": [
                {"layer": "conv1", "channel": 3, "input_channel": 0, "y": 1, "x": 2, "weight": 0.5},
                {"layer": "fc1", "channel": 7, "bias": -10},
            ]
        },
    },
}
NEW_MODEL: Examples = {"own": {"summary": "A name", "value": {"name": "my-digits"}}}

_MEANING: dict[int | str, str] = {
    404: "There is no such model, layer, channel, unit, image, run or sweep; the detail says which "
    "there are.",
    409: "The run's or the sweep's state forbids it, or something needs the model; the detail says "
    "what.",
    413: "The body or the picture is too large.",
    415: "The content type can't be read.",
    422: "The request can't be used; the detail says what to correct.",
    429: "So many runs wait, or a data set is being imported, that no other is taken.",
    503: "A file of the server is damaged, or its folder can't be written; the detail says which.",
    507: "The server has no room for it.",
    "default": "Any other error.",
}


def problems(*codes: int | str) -> Responses:
    """The error answers of an operation, for ``responses=``."""
    schema = {"$ref": "#/components/schemas/ProblemAnswer"}
    content = {"application/problem+json": {"schema": schema}}
    return {
        code: {"model": ProblemAnswer, "description": _MEANING[code], "content": content}
        for code in codes
    }


def binary(media_type: str, description: str) -> Responses:
    """A successful answer that is a file."""
    return {200: {"description": description, "content": {media_type: {"schema": _FILE}}}}


_FILE = {"type": "string", "format": "binary"}
_PIXEL = {"type": "number", "minimum": 0, "maximum": 255}
_PIXELS = {
    "type": "array",
    "minItems": 1,
    "description": "H x W or H x W x 3 of 0..255; exactly the model's input size is taken as it is",
    "items": {
        "type": "array",
        "minItems": 1,
        "items": {
            "anyOf": [_PIXEL, {"type": "array", "items": _PIXEL, "minItems": 3, "maxItems": 3}]
        },
    },
}
_PICTURE = {
    "oneOf": [
        {
            "type": "object",
            "required": ["image"],
            "properties": {
                "image": {"type": "string", "description": "base64 or a data URL of a picture file"}
            },
        },
        {"type": "object", "required": ["pixels"], "properties": {"pixels": _PIXELS}},
    ]
}
_BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {"batch": {"type": "array", "minItems": 1, "maxItems": 64, "items": _PICTURE}},
}


def picture_body(batches: bool) -> dict[str, Any]:
    """The request body of an operation that takes a picture, for ``openapi_extra=``."""
    examples: dict[str, Any] = {
        "picture": {"summary": "A picture file", "value": {"image": example_data_url()}},
        "pixels": {"summary": "Pixels", "value": {"pixels": example_rows()}},
    }
    if batches:
        batch = [{"image": example_data_url()}, {"pixels": example_rows()}]
        examples["batch"] = {"summary": "Two at once", "value": {"batch": batch}}
    files = {"type": "array", "items": _FILE, "maxItems": 64} if batches else _FILE
    form = {"type": "object", "required": ["image"], "properties": {"image": files}}
    json = {"oneOf": [*_PICTURE["oneOf"], _BATCH]} if batches else _PICTURE
    grey = _FILE | {"description": "raw grey bytes, row by row: 0 is paper, 255 is ink"}
    # JSON is first, since the form in /docs shows the first one, and can fill it in.
    content = {
        "application/json": {"schema": json, "examples": examples},
        "multipart/form-data": {"schema": form},
        "application/octet-stream": {"schema": grey},
        **{f"image/{kind}": {"schema": _FILE} for kind in ("png", "jpeg", "webp", "gif", "bmp")},
    }
    return {"requestBody": {"required": True, "content": content}}
