"""A client of the real server, and the same models in this process, to say what is right."""

from collections.abc import Callable, Iterator

import httpx
import pytest
import torch

from app.core.model import Model
from app.services.model_library import ModelLibrary

Refused = Callable[[httpx.Response, int], str]


@pytest.fixture(scope="session")
def api(server: str) -> Iterator[httpx.Client]:
    """A client of the running server."""
    with httpx.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def library() -> ModelLibrary:
    """The models that the server serves, in this process."""
    return ModelLibrary(torch.device("cpu"))


@pytest.fixture(scope="session")
def digits(library: ModelLibrary) -> Model:
    """The default model."""
    return library.get()


@pytest.fixture
def refused(api: httpx.Client) -> Refused:
    """Checks that an answer is a problem document of a status, and returns its detail; the server
    must go on."""

    def check(answer: httpx.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["type"]
        assert api.get("/healthz").status_code == 200
        detail = str(problem["detail"])
        assert "Traceback" not in detail
        assert len(detail) < 1000
        return detail

    return check
