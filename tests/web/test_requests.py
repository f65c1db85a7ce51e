"""Requests that name or send the wrong thing: what they are told, by the real server."""

import re

import httpx
import pytest

from app.core.model import Model
from tests.web import samples
from tests.web.conftest import Refused

PNG = samples.encode(samples.draw_seven())
BODY = {"pixels": samples.exact_pixels().tolist()}
MODEL = "/api/v1/models/digits"
KEPT = "0" * 32


def test_health(api: httpx.Client) -> None:
    answer = api.get("/healthz").json()
    assert list(answer) == ["status", "version"]
    assert answer["status"] == "ok"


def test_the_default_model_comes_first(api: httpx.Client, digits: Model) -> None:
    cards = api.get("/api/v1/models").json()
    assert [card["default"] for card in cards] == [True] + [False] * (len(cards) - 1)
    assert cards[0]["name"] == digits.card.name
    assert cards[0]["metrics"] == digits.card.metrics


def test_a_description_is_of_the_network_that_is_served(api: httpx.Client, digits: Model) -> None:
    described = api.get(MODEL).json()
    layers = described["layers"]
    assert [layer["name"] for layer in layers] == [layer.name for layer in digits.layers]
    assert sum(layer["parameters"] for layer in layers) == described["parameters"]
    for layer, before in zip(layers[1:], layers, strict=False):
        assert layer["reads"] == [before["name"]]
        assert layer["input_shape"] == before["output_shape"]
    assert layers[0]["input_shape"] == described["input_shape"]
    assert layers[-1]["output_shape"] == [len(described["classes"])]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/v1/models/digit", "convnet-revisited, digits"),
        ("/api/v1/models/%00", "The models are"),
        (f"{MODEL}/layers/conv9/filters.png", "Its layers are conv1, relu1,"),
        (f"{MODEL}/layers/conv9/filters.npy", "Its layers are conv1, relu1,"),
        (f"{MODEL}/layers/relu1/filters.npy", "digits that have: conv1, conv2,"),
        (f"{MODEL}/layers/softmax/filters.png", "has no filters"),
        (f"{MODEL}/layers/conv1/filters.jpg", "There are filters.png, filters.npy"),
        (f"{MODEL}/layers/conv1/weights.npy", "There are filters.png, filters.npy"),
        (f"{MODEL}/layers/conv1/filters.npy?channel=99", "Its channels are 0 to"),
        (f"{MODEL}/layers/conv1/filters.png?channel=-1", "Its channels are 0 to"),
        (f"{MODEL}/layers/conv1/activations.npy?image={KEPT}", "Send it with POST /api/v1/images"),
        (f"{MODEL}/layers/conv1/activations.png?image=../{KEPT}", "Send it with POST"),
        ("/api/v1/images/7", "Send it with POST /api/v1/images"),
        (f"/api/v1/images/{KEPT}", "Send it with POST /api/v1/images"),
        ("/api/v1/images/..", "There is nothing at"),
        ("/api/v1/images/..%2f..%2fetc%2fpasswd", "There is nothing at"),
        ("/api/v1/images/..\\..\\x", "There is no image"),
        ("/api/v1/images/%00", "There is no image"),
        ("/api/v1/images/" + "x" * 5000, "There is no image"),
        ("/api/v1/nothing", "GET /docs lists every operation"),
        ("/api/v1/{braces}", "GET /docs lists every operation"),
        ("/static/nothing.js", "GET /docs"),
    ],
)
def test_what_does_not_exist(api: httpx.Client, refused: Refused, path: str, words: str) -> None:
    assert words in refused(api.get(path), 404)


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/trace"])
def test_an_unknown_model(api: httpx.Client, refused: Refused, path: str) -> None:
    for name in ("digit", "", "\ufffd", "'; --"):
        answer = api.post(path, params={"model": name}, json=BODY)
        detail = refused(answer, 404)
        assert "The models are" in detail
        assert "convnet-revisited, digits" in detail


@pytest.mark.parametrize("layers", ["conv9", "conv1,conv9", "conv1,,conv2", ",", "input"])
def test_unknown_layers_of_a_trace(api: httpx.Client, refused: Refused, layers: str) -> None:
    answer = api.post("/api/v1/trace", params={"layers": layers}, json=BODY)
    assert "Its layers are conv1, relu1," in refused(answer, 404)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("filters.png?theme=pink", "theme"),
        ("filters.png?zoom=0", "zoom"),
        ("filters.png?zoom=17", "zoom"),
        ("filters.png?zoom=two", "zoom"),
        ("filters.npy?channel=one", "channel"),
        ("filters.npy?channel=1.5", "channel"),
        ("filters.npy?channel=" + "9" * 5000, "channel"),
        ("activations.npy", "image"),
    ],
)
def test_query_values_that_cannot_be(
    api: httpx.Client, refused: Refused, path: str, field: str
) -> None:
    answer = api.get(f"{MODEL}/layers/conv1/{path}")
    assert f"Please correct the request. {field}: " in refused(answer, 422)
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("params", [{"top": 0}, {"top": -1}, {"top": "all"}, {"width": 0}])
def test_query_values_of_a_prediction(
    api: httpx.Client, refused: Refused, params: dict[str, str]
) -> None:
    detail = refused(api.post("/api/v1/predict", params=params, json=BODY), 422)
    assert next(iter(params)) in detail


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/v1/predict", "POST"),
        ("HEAD", "/api/v1/predict", "POST"),
        ("PUT", "/api/v1/predict", "POST"),
        ("DELETE", "/api/v1/images/7", "GET"),
        ("POST", "/api/v1/models", "GET"),
        ("PATCH", "/healthz", "GET"),
        ("OPTIONS", "/healthz", "GET"),
    ],
)
def test_other_methods(
    api: httpx.Client, refused: Refused, method: str, path: str, allowed: str
) -> None:
    answer = api.request(method, path)
    assert answer.headers["allow"] == allowed
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (405, b"")
    else:
        assert f"{path} answers {allowed}, not {method}" in refused(answer, 405)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/api/v1/models",
        MODEL,
        f"{MODEL}/layers/conv1/filters.npy",
        "/",
        "/openapi.json",
    ],
)
def test_head_is_get_without_the_body(api: httpx.Client, path: str) -> None:
    got, headed = api.get(path), api.head(path)
    assert (headed.status_code, headed.content) == (200, b"")
    for name in ("content-type", "content-length"):
        assert headed.headers[name] == got.headers[name]


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/trace", "/api/v1/images"])
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "{x}", "é"])
def test_a_wrong_content_type(api: httpx.Client, refused: Refused, path: str, kind: str) -> None:
    headers = {b"Content-Type": kind.encode()}
    answer = api.post(path, content=PNG, headers=headers)
    assert 'the field "image" of multipart/form-data' in refused(answer, 415)


@pytest.mark.parametrize("path", ["/api/v1/predict", "/api/v1/trace", "/api/v1/images"])
def test_no_content_type(api: httpx.Client, refused: Refused, path: str) -> None:
    assert refused(api.post(path, content=PNG), 415).startswith("No content type can't be read")


FORM = 'Content-Disposition: form-data; name="image"; filename="7.png"\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("multipart/form-data", PNG, "The form can't be read"),
        ("multipart/form-data; boundary=", PNG, "The form can't be read"),
        ("multipart/form-data; boundary=x", b"", "nothing that is complete"),
        ("multipart/form-data; boundary=x", PNG, "The form can't be read"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + FORM.encode() + PNG, "nothing that is"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n\r\n--x--\r\n", "The form can't be read"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", "nothing that is complete"),
    ],
)
def test_a_broken_form(
    api: httpx.Client, refused: Refused, kind: str, body: bytes, words: str
) -> None:
    answer = api.post("/api/v1/predict", content=body, headers={"Content-Type": kind})
    assert words in refused(answer, 422)


def test_a_form_without_the_field(api: httpx.Client, refused: Refused) -> None:
    answer = api.post("/api/v1/predict", files={"file": PNG, "picture": PNG})
    assert "no field \"image\", but 'file', 'picture'" in refused(answer, 422)


def test_a_field_with_text(api: httpx.Client, refused: Refused) -> None:
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n7.png\r\n--x--\r\n'
    answer = api.post("/api/v1/predict", content=body, headers=boundary)
    assert "Attach a file to it" in refused(answer, 422)


def test_too_many_files(api: httpx.Client, refused: Refused) -> None:
    for count in (65, 300):
        files = [("image", (f"{number}.png", b"x")) for number in range(count)]
        detail = refused(api.post("/api/v1/predict", files=files), 422)
        assert re.search("at most 64|Too many files", detail)
