"""The API's own description: complete, and its examples work when they are tried."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from app.web.errors import STATUS

METHODS = {"get", "post", "put", "delete", "patch"}
PROBLEM = {"$ref": "#/components/schemas/ProblemAnswer"}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    return dict(api.get("/openapi.json").raise_for_status().json())


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert method in METHODS
            yield method, path, operation


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    return dict(operation.get("requestBody", {}).get("content", {}))


# A zip is chosen from the disk; all other bodies are pictures, which may be sent as JSON too.
UPLOADS = {"/api/v1/datasets"}
# What these take is JSON and nothing else.
JSON_ALONE = {
    "/api/v1/models/{model}/edits",
    "/api/v1/models/{model}/keep",
    "/api/v1/runs",
    "/api/v1/runs/{run}/model",
    "/api/v1/sweeps",
}


def test_every_operation_of_the_design_is_there(document: dict[str, Any]) -> None:
    layer = "/api/v1/models/{model}/layers/{layer}"
    assert {f"{method} {path}" for method, path, _ in operations(document)} >= {
        "get /healthz",
        "get /api/v1/models",
        "get /api/v1/models/{model}",
        "delete /api/v1/models/{model}",
        "put /api/v1/models/{model}/default",
        "get /api/v1/models/{model}/edits",
        "post /api/v1/models/{model}/edits",
        "post /api/v1/models/{model}/keep",
        "get /api/v1/models/{model}/evaluation/events",
        "post /api/v1/predict",
        "post /api/v1/trace",
        "post /api/v1/images",
        "get /api/v1/images/{image}",
        "get /api/v1/augmentations",
        "get /api/v1/augmentations/preview.png",
        "get /api/v1/datasets",
        "post /api/v1/datasets",
        "get /api/v1/runs",
        "post /api/v1/runs",
        "get /api/v1/runs/{run}",
        "delete /api/v1/runs/{run}",
        "get /api/v1/runs/{run}/events",
        "get /api/v1/sweeps",
        "post /api/v1/sweeps",
        "get /api/v1/sweeps/{sweep}",
        "delete /api/v1/sweeps/{sweep}",
        "post /api/v1/sweeps/{sweep}/cancel",
        *(f"post /api/v1/runs/{{run}}/{action}" for action in ("cancel", "pause", "resume")),
        f"get {layer}/units/{{channel}}/{{y}}/{{x}}",
        *(f"get {layer}/units/{{channel}}/{{y}}/{{x}}/effective_field.{form}" for form in FORMS),
        *(f"get {layer}/{what}.{form}" for what in ("filters", "activations") for form in FORMS),
    }


FORMS = ("png", "npy")


def test_every_operation_says_what_it_is(document: dict[str, Any]) -> None:
    summaries = [operation["summary"] for _, _, operation in operations(document)]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)
    for _, path, operation in operations(document):
        assert operation["description"], path
        assert operation["tags"], path


def test_every_operation_lists_its_errors_as_problem_documents(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        answers = operation["responses"]
        assert "default" in answers, path
        for status, answer in answers.items():
            if not status.startswith("2"):
                assert answer["content"]["application/problem+json"]["schema"] == PROBLEM
                assert answer["description"]
        if "{" in path:
            assert "404" in answers, path
        if body_of(operation):
            assert {"413", "422"} <= answers.keys()
            assert "415" in answers or path in UPLOADS | JSON_ALONE
    assert "HTTPValidationError" not in str(document)


def test_every_parameter_is_described_and_what_must_be_given_has_an_example(
    document: dict[str, Any],
) -> None:
    for _, path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (path, parameter["name"])
            if parameter["required"]:
                assert parameter["examples"], (path, parameter["name"])


def test_json_is_the_first_form_of_every_body(document: dict[str, Any]) -> None:
    bodies = [
        body_of(one)
        for _, path, one in operations(document)
        if body_of(one) and path not in UPLOADS
    ]
    assert len(bodies) >= 3
    for content in bodies:
        assert next(iter(content)) == "application/json"
        assert content["application/json"]["examples"]


def tries(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each example of each parameter and of the body, the others being the first ones."""
    parameters = {
        parameter["name"]: [one["value"] for one in parameter["examples"].values()]
        for parameter in operation.get("parameters", [])
        if "examples" in parameter
    }
    content = body_of(operation).get("application/json", {})
    bodies = [one["value"] for one in content.get("examples", {}).values()] or [None]
    first = {name: values[0] for name, values in parameters.items()}
    for body in bodies:
        yield {"values": first, "body": body}
    for name, values in parameters.items():
        for value in values[1:]:
            yield {"values": first | {name: value}, "body": bodies[0]}


def test_every_example_works(api: httpx.Client, document: dict[str, Any]) -> None:
    tried = 0
    for method, path, operation in operations(document):
        # No run or sweep is there always: test_runs.py and test_sweeps.py go through theirs.
        if (method == "post" and path in UPLOADS) or "{run}" in path or "{sweep}" in path:
            continue
        # All tests share the server's models: test_models.py and test_edits.py change them.
        if method == "delete" or path.endswith(("/default", "/keep")):
            continue
        places = {one["name"]: one["in"] for one in operation.get("parameters", [])}
        for example in tries(operation):
            values = example["values"]
            query = {name: value for name, value in values.items() if places[name] == "query"}
            url = path.format(**values)
            answer = api.request(method, url, params=query, json=example["body"])
            assert answer.is_success, (method, url, answer.text)
            kinds = operation["responses"][str(answer.status_code)]["content"]
            assert answer.headers["content-type"].removesuffix("; charset=utf-8") in kinds
            tried += 1
            if answer.status_code == 202:  # Nobody waits for what it has begun to train.
                api.post(f"{answer.headers['Location']}/cancel")
    assert tried >= 20


def test_the_picture_of_the_examples_is_a_seven(
    api: httpx.Client, document: dict[str, Any]
) -> None:
    body = document["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]
    for example in body["application/json"]["examples"].values():
        answer = api.post("/api/v1/predict", json=example["value"]).json()
        labels = [one["label"] for one in answer.get("predictions", [answer])]
        assert set(labels) == {"7"}


def test_answers_have_the_fields_of_their_schema(
    api: httpx.Client, document: dict[str, Any]
) -> None:
    schemas = document["components"]["schemas"]
    card = api.get("/api/v1/models/digits").json()
    assert card.keys() == schemas["ModelDescription"]["properties"].keys()
    assert card["layers"][0].keys() == schemas["LayerCard"]["properties"].keys()


def test_statuses_of_errors_are_documented(document: dict[str, Any]) -> None:
    listed = {status for _, _, one in operations(document) for status in one["responses"]}
    reachable = {str(status) for error, status in STATUS.items() if status != 503}
    assert reachable <= listed


def test_the_description_needs_no_server(settings: Settings) -> None:
    assert create_app(settings).openapi()["openapi"].startswith("3.1")


def test_the_documentation_page_names_the_description(api: httpx.Client) -> None:
    assert "/openapi.json" in api.get("/docs").raise_for_status().text
