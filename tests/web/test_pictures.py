"""What is made of a request's body before anything is decoded."""

import pytest
from starlette.requests import Request

from app.services.predictor import Source
from app.web.pictures import read_sources
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
