"""How fast predictions are over HTTP, for each form in which a picture may be sent."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from app.benchmarks.http_load import Limits, Load, drive
from app.benchmarks.strokes import make_strokes, paint

CLIENTS = (1, 16)
PICTURES = 32
WARM_UP_SECONDS = 1
PATH = "/api/v1/predict"
JSON = "application/json"

_BOUNDARY = "a-line-that-no-picture-holds"


@dataclass(frozen=True)
class PredictionLoad:
    """What the clients sent, and what came of it."""

    form: str
    load: Load


def measure_predictions(address: tuple[str, int], limits: Limits) -> Iterator[PredictionLoad]:
    """Each form of request, with one client and with sixteen."""
    pictures = [paint(stroke) for stroke in make_strokes(PICTURES)]
    for form, make in FORMS.items():
        requests = [make(picture) for picture in pictures]
        drive(address, requests, 1, Limits(min(WARM_UP_SECONDS, limits.seconds)))
        for clients in CLIENTS:
            yield PredictionLoad(form, drive(address, requests, clients, limits))


def _form(picture: Image.Image) -> bytes:
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="7.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = head.encode() + encode_png(picture) + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return _request(f"multipart/form-data; boundary={_BOUNDARY}", body)


def _raw(picture: Image.Image) -> bytes:
    return _request("application/octet-stream", picture.tobytes())


def _pixels(picture: Image.Image) -> bytes:
    return _request(JSON, json.dumps({"pixels": pixel_rows(picture)}).encode())


def pixel_rows(picture: Image.Image) -> list[list[int]]:
    """The picture, made smaller, as 28 rows of 28 numbers of 0..255."""
    values = picture.resize((28, 28), Image.Resampling.BOX).tobytes()
    return [list(values[start : start + 28]) for start in range(0, len(values), 28)]


def encode_png(picture: Image.Image) -> bytes:
    """The picture as a canvas would save it: four channels, though it is grey."""
    file = io.BytesIO()
    picture.convert("RGBA").save(file, "PNG")
    return file.getvalue()


def _request(content_type: str, body: bytes) -> bytes:
    return post(PATH, content_type, body)


def post(path: str, content_type: str, body: bytes) -> bytes:
    """A request that sends this body to that path."""
    head = (
        f"POST {path} HTTP/1.1\r\n"
        "Host: localhost\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


FORMS: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG, 280 × 280 RGBA, in a form": _form,
    "grey bytes, 280 × 280": _raw,
    "JSON pixels, 28 × 28": _pixels,
}
