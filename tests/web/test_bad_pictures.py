"""Bad input, to the real server: each is refused in words that say what to do."""

import json
import select
import socket
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.web import samples
from tests.web.conftest import Refused

PATHS = ["/api/v1/predict", "/api/v1/trace", "/api/v1/images"]
BLANK = samples.encode(Image.new("RGBA", (280, 280), (0, 0, 0, 0)))
WHITE = samples.encode(Image.new("L", (280, 280), 255))
PNG = samples.encode(samples.draw_seven())
JPEG = samples.encode(samples.draw_seven(), "JPEG")

FILES: dict[str, tuple[bytes, int, str]] = {
    "text": (b"hello, this is no picture", 422, "PNG, JPEG, WebP, GIF and BMP"),
    "zero bytes": (b"", 422, "zero bytes"),
    "truncated PNG": (PNG[: len(PNG) // 2], 422, "damaged or incomplete"),
    "truncated JPEG": (JPEG[: len(JPEG) // 2], 422, "damaged or incomplete"),
    "a PNG's head alone": (PNG[:16], 422, "damaged or incomplete"),
    "bomb": (samples.bomb(), 413, "at most 16 million"),
    "SVG": (samples.SVG, 422, "an SVG drawing"),
    "HTML": (samples.HTML, 422, "an HTML page"),
    "TIFF": (samples.encode(Image.new("L", (30, 30)), "TIFF"), 422, "a TIFF image"),
}
UNDRAWN: dict[str, tuple[bytes, int, str]] = {
    "1 x 1": (samples.encode(Image.new("L", (1, 1))), 422, "too small"),
    "1 x 5000": (samples.encode(Image.new("L", (1, 5000))), 422, "too small"),
    "5000 x 1": (samples.encode(Image.new("RGB", (5000, 1), "red")), 422, "too small"),
    "transparent": (BLANK, 422, "draw something"),
    "white": (WHITE, 422, "draw something"),
}


def test_the_bomb_is_small() -> None:
    assert len(samples.bomb()) < 10_000


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(api: httpx.Client, refused: Refused, path: str, name: str) -> None:
    data, status, words = FILES[name]
    ways: list[dict[str, Any]] = [
        {"files": {"image": ("7.png", data, "image/png")}},
        {"content": data, "headers": {"Content-Type": "image/png"}},
        {"json": {"image": samples.base64_of(data)}},
        {"json": {"image": samples.data_url(data)}},
    ]
    for way in ways:
        assert words in refused(api.post(path, **way), status)


@pytest.mark.parametrize("path", PATHS)
def test_no_address_that_is_named_is_asked(api: httpx.Client, refused: Refused, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        named = f"http://127.0.0.1:{door.getsockname()[1]}/x.png"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{named}"/></svg>'.encode()
        html = f'<!doctype html><img src="{named}">'.encode()
        texts = [named, named.removeprefix("http:"), f"url({named})", samples.base64_of(svg)]
        texts += [samples.data_url(content) for content in (named.encode(), svg, html)]
        ways: list[dict[str, Any]] = [{"json": {"image": text}} for text in texts]
        ways += [{"json": {"batch": [{"image": text}]}} for text in texts]
        ways += [{"files": {"image": (None, text)}} for text in texts]
        ways += [{"files": {"image": ("x.png", data)}} for data in (named.encode(), svg, html)]
        ways += [
            {"json": {"image": {"url": named}}},
            {"json": {"url": named}},
            {"json": {"pixels": named}},
            {"data": {"image": named}},
            {"files": {"image": (named, b"", "image/png")}},
            {"content": named, "headers": {"Content-Type": "image/png"}},
            {"content": named, "headers": {"Content-Type": "text/uri-list"}},
            {"content": b"", "headers": {"Content-Type": "image/png", "Content-Location": named}},
            {"params": {"image": named, "url": named}},
        ]
        for way in ways:
            answer = api.post(path, **way)
            assert 400 <= answer.status_code < 500, way
            refused(answer, answer.status_code)
        waiting, _, _ = select.select([door], [], [], 0)
        assert not waiting


@pytest.mark.parametrize("path", PATHS[:2])
@pytest.mark.parametrize("name", UNDRAWN)
def test_no_digit_is_guessed(api: httpx.Client, refused: Refused, path: str, name: str) -> None:
    data, status, words = UNDRAWN[name]
    assert words in refused(api.post(path, files={"image": data}), status)


@pytest.mark.parametrize("path", PATHS[:2])
def test_an_empty_pad_is_refused(api: httpx.Client, refused: Refused, path: str) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    answer = api.post(path, content=bytes(280 * 280), headers=headers)
    assert "draw something" in refused(answer, 422)
    answer = api.post(path, json={"pixels": [[0] * 28] * 28})
    assert "draw something" in refused(answer, 422)


DEEP = "[" * 900 + "]" * 900
PIXELS: dict[str, tuple[str, str]] = {
    "NaN": ("[[NaN, 1]]", "row 0, column 0 is not a number"),
    "infinity": ("[[1, -Infinity]]", "row 0, column 1"),
    "1e400": ("[[1e400, 0]]", "row 0, column 0 is infinite"),
    "10**400": (f"[[0], [{10**400}]]", "row 1, column 0"),
    "negative": ("[[0, -1]]", "not in 0..255"),
    "256": ("[[0, 256]]", "not in 0..255"),
    "text": ('[["1", "2"]]', "text"),
    "a boolean": ("[[0, true]]", "true"),
    "null": ("[[0, null]]", "null"),
    "an object": ("[[0, {}]]", "an object"),
    "ragged": ("[[0, 0], [0]]", "Row 1 has 1"),
    "deep": (DEEP, "column 0"),
    "RGBA": ("[[[0, 0, 0, 0]]]", "transparency"),
    "no rows": ("[]", "no rows"),
    "empty rows": ("[[], []]", "empty"),
    "flat": ("[0, 0]", "Row 0"),
    "a number": ("7", "a number"),
    "of 0..1": ("[[0.5, 1]]", "multiply yours by 255"),
}


@pytest.mark.parametrize("name", PIXELS)
def test_bad_pixels_are_refused(api: httpx.Client, refused: Refused, name: str) -> None:
    pixels, words = PIXELS[name]
    headers = {"Content-Type": "application/json"}
    for path in PATHS:
        answer = api.post(path, content=f'{{"pixels": {pixels}}}', headers=headers)
        assert words in refused(answer, 422)


BODIES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "isn't JSON"),
    "cut short": (b'{"pixels": [[0,', "isn't JSON"),
    "two commas": (b'{"pixels": [[0,,1]]}', "isn't JSON"),
    "a number that begins with 0": (b'{"pixels": [[07]]}', "isn't JSON"),
    "rows nested deep": (b'{"pixels": ' + b"[" * 100_000 + b"}", "nested too deeply"),
    "nested a million deep": (b"[" * 1_000_000, "nested too deeply"),
    "not UTF-8": (b'{"image": "\xff\xfe\xfd"}', "UTF-8"),
    "a list": (b"[]", 'either "image" or "pixels"'),
    "a number": (b"7", 'either "image" or "pixels"'),
    "null": (b"null", 'either "image" or "pixels"'),
    "an empty object": (b"{}", 'either "image" or "pixels"'),
    "something else": (b'{"picture": "x"}', "'picture'"),
    "both": (b'{"image": "x", "pixels": []}', "either"),
    "a number of 5000 digits": (b'{"pixels": [[' + b"9" * 5000 + b"]]}", "isn't JSON"),
    "an image that is a number": (b'{"image": 7}', '"image" takes text'),
    "no base64": (b'{"image": "@@@"}', "isn't base64"),
    "half of base64": (b'{"image": "abcde"}', "isn't base64"),
    "not ASCII": ('{"image": "ä\\ud800"}'.encode(), "isn't base64"),
    "a data URL without base64": (b'{"image": "data:image/svg+xml,<svg/>"}', "without base64"),
    "a data URL without data": (b'{"image": "data:image/png;base64,"}', "zero bytes"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_json_body_is_refused(api: httpx.Client, refused: Refused, name: str) -> None:
    body, words = BODIES[name]
    for path in PATHS:
        answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
        assert words in refused(answer, 422)


GOOD = {"pixels": samples.exact_pixels().tolist()}


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ([], "1 to 64"),
        ([GOOD] * 65, "65 pictures are too many"),
        ({"pixels": []}, "1 to 64"),
        ("text", "1 to 64"),
        ([GOOD, {"batch": [GOOD]}], "Picture 2 of 2: A picture is an object with either"),
        ([GOOD, GOOD, {"image": "@"}, {"image": "@"}], "Picture 3 of 4: "),
        ([GOOD, {"pixels": [[0, "x"]]}, GOOD], "Picture 2 of 3: The pixel at row 0, column 1"),
        ([GOOD, samples.HTML.decode()], "Picture 2 of 2: A picture is an object"),
        ([{"pixels": [[0] * 28] * 28}, GOOD], "Picture 1 of 2: There is nothing drawn yet"),
    ],
)
def test_a_bad_batch_says_which_picture(
    api: httpx.Client, refused: Refused, batch: object, words: str
) -> None:
    assert words in refused(api.post("/api/v1/predict", json={"batch": batch}), 422)


def test_a_batch_takes_nothing_beside_it(api: httpx.Client, refused: Refused) -> None:
    answer = api.post("/api/v1/predict", json={"batch": [GOOD], **GOOD})
    assert "nothing beside it" in refused(answer, 422)


def test_a_bad_file_among_good_ones_says_which(api: httpx.Client, refused: Refused) -> None:
    files = [("image", ("1.png", PNG)), ("image", ("2.png", samples.HTML))]
    answer = api.post("/api/v1/predict", files=files)
    assert "Picture 2 of 2: This is not a picture" in refused(answer, 422)


@pytest.mark.parametrize("path", PATHS[1:])
def test_only_predictions_take_several(api: httpx.Client, refused: Refused, path: str) -> None:
    assert "one picture at a time" in refused(api.post(path, json={"batch": [GOOD, GOOD]}), 422)
    files = [("image", ("1.png", PNG)), ("image", ("2.png", PNG))]
    assert "one picture at a time" in refused(api.post(path, files=files), 422)


@pytest.mark.parametrize(
    ("size", "width", "words"),
    [(281, None, "281 grey bytes"), (280, 279, "rows of 279"), (0, None, "0 grey bytes")],
)
def test_grey_bytes_must_be_a_rectangle(
    api: httpx.Client, refused: Refused, size: int, width: int | None, words: str
) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    params = {"width": width} if width else {}
    answer = api.post("/api/v1/trace", content=bytes(size), headers=headers, params=params)
    assert words in refused(answer, 422)


def test_too_many_grey_bytes_are_refused(api: httpx.Client, refused: Refused) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    answer = api.post("/api/v1/trace", content=bytes(5000 * 5000), headers=headers)
    assert "25.0 million pixels" in refused(answer, 413)


TYPES = ["image/png", "application/octet-stream", "application/json", "multipart/form-data"]


@given(
    st.binary(max_size=400)
    | st.builds(lambda head, tail: PNG[:head] + tail, st.integers(0, 600), st.binary(max_size=50)),
    st.sampled_from([*TYPES, "multipart/form-data; boundary=x", "text/plain"]),
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_at_all_break_the_server(api: httpx.Client, data: bytes, kind: str) -> None:
    answer = api.post("/api/v1/predict", content=data, headers={"Content-Type": kind})
    if answer.status_code != 200:
        assert answer.status_code in (413, 415, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-9, 10**30) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["image", "pixels", "batch", "x"]), inner, max_size=3)
    ),
)


@given(JSON | st.fixed_dictionaries({"pixels": JSON}) | st.fixed_dictionaries({"batch": JSON}))
@settings(max_examples=150, deadline=None)
def test_no_json_at_all_breaks_the_server(api: httpx.Client, content: object) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(content).encode()
    answer = api.post("/api/v1/predict", content=body, headers=headers)
    assert answer.status_code in (200, 422), answer.text
