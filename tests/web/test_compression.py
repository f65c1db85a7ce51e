"""What is worth it is sent compressed to those who can read that, and is the same."""

import re

import httpx

from tests.web import samples

PLAIN = {"Accept-Encoding": "identity"}


def test_pages_styles_scripts_and_long_json_are_compressed(api: httpx.Client) -> None:
    page = api.get("/").text
    found = re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"', page)
    assert len(found) > 5
    for path in ("/models/digits", "/api/v1/models/resnet18", *found):
        plain, small = api.get(path, headers=PLAIN), api.get(path)
        assert "content-encoding" not in plain.headers
        assert small.content == plain.content
        assert "Accept-Encoding" in small.headers["vary"]
        if len(plain.content) >= 1024:
            assert small.headers["content-encoding"] == "gzip"
            assert int(small.headers["content-length"]) < 0.6 * len(plain.content)


def test_numbers_pictures_and_short_answers_are_not(api: httpx.Client) -> None:
    body = samples.encode(samples.draw_seven())
    png = {"Content-Type": "image/png"}
    trace = api.post("/api/v1/trace", content=body, headers=png)
    predicted = api.post("/api/v1/predict", content=body, headers=png)
    drawn = api.get("/api/v1/models/digits/layers/conv1/filters.png")
    for answer in (trace, predicted, drawn):
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers
