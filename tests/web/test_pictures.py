"""What is made of a request's body before anything is decoded."""

import base64
import json
import threading
import tracemalloc
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.core import pixel_rows
from app.services.predictor import Source
from app.web import pictures
from app.web.pictures import MOST_OTHERS, read_sources
from tests.fuzz.seeding import with_notes
from tests.web import samples

PNG = samples.encode(samples.draw_seven())


async def sources(body: bytes, content_type: str) -> list[Source]:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    headers = [(b"content-type", content_type.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return await read_sources(request, 10**6, None)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
async def test_a_picture_with_a_packed_note_keeps_nobody_waiting(kind: bytes) -> None:
    (plain,) = await sources(PNG, "image/png")
    (noted,) = await sources(with_notes(PNG, kind, 1), "image/png")
    assert plain.little
    assert not noted.little


async def test_a_picture_of_many_chunks_keeps_nobody_waiting() -> None:
    (source,) = await sources(with_notes(PNG, b"tEXt", 60), "image/png")
    assert not source.little


async def from_json(content: object) -> list[Source]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await sources(body, "application/json")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """All sources that are made."""
    found = []

    def make(*given: Any) -> Source:  # noqa: ANN401
        found.append(Source(*given))
        return found[-1]

    monkeypatch.setattr(pictures, "Source", make)
    return found


async def test_a_batch_is_counted_before_anything_is_made_of_it(made: list[Source]) -> None:
    with pytest.raises(HTTPException, match="65 pictures are too many") as caught:
        await from_json({"batch": [{}] * 65})
    assert caught.value.status_code == 422
    assert made == []
    assert len(await from_json({"batch": [{}] * 64})) == len(made) == 64


@pytest.mark.parametrize("one", [b"{}", b'""', b'{"a":""}'])
async def test_objects_and_texts_are_counted_before_they_are_parsed(
    monkeypatch: pytest.MonkeyPatch, one: bytes
) -> None:
    monkeypatch.setattr(pictures, "parse_json", pytest.fail)
    with pytest.raises(HTTPException, match="objects and texts") as caught:
        await from_json(b'{"batch":[' + one + (b"," + one) * MOST_OTHERS + b"]}")
    assert caught.value.status_code == 413


async def test_much_json_is_parsed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def parse(body: bytes) -> object:
        threads.append(threading.current_thread())
        return pixel_rows.parse_json(body)

    monkeypatch.setattr(pictures, "parse_json", parse)
    await from_json({"image": "AAAA" * 10})
    (source,) = await from_json({"pixels": [[7] * 300] * 300})
    assert source.read().pixels.shape == (300, 300)
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()


async def test_base64_may_be_broken_anywhere() -> None:
    text = base64.encodebytes(PNG).decode()
    assert text.count("\n") > 10
    for broken in (text, text.replace("\n", "\r\n \t"), " ".join(text)):
        (source,) = await from_json({"image": broken})
        assert source.read().pixels.shape == (280, 280)


async def test_spaces_in_base64_take_no_memory_of_their_own() -> None:
    text = "AA " * 2_000_000
    (source,) = await from_json({"image": text})
    tracemalloc.start()
    with pytest.raises(Exception, match="not a picture"):
        source.read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(text)
