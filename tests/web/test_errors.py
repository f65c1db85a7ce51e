"""Every error that is raised below the web has a status of its own."""

import httpx
import pytest

from app.core import errors
from app.main import create_app
from app.settings import Settings
from app.web.errors import STATUS, Problem


def test_no_error_is_missing() -> None:
    declared = {error for error in vars(errors).values() if isinstance(error, type)}
    assert declared == STATUS.keys()


def test_nothing_a_client_does_is_a_fault_of_the_server() -> None:
    servers_own = {error.__name__ for error, status in STATUS.items() if status >= 500}
    assert servers_own == {
        "DamagedImage",
        "DatasetUnavailable",
        "InvalidSettings",
        "StorageBusy",
        "StorageDamaged",
        "StorageUnavailable",
        "UnreadableWeights",
    }


@pytest.fixture
async def client(settings: Settings) -> httpx.AsyncClient:
    """A client of an application whose routes fail."""
    application = create_app(settings)
    for error in STATUS:
        application.get(f"/fail/{error.__name__}")(failing(error("Do {this}.")))
    application.get("/fault")(failing(ZeroDivisionError("secret")))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def failing(error: Exception):  # type: ignore[no-untyped-def]  # noqa: ANN201
    async def fail() -> None:
        raise error

    return fail


async def test_an_error_from_elsewhere_is_an_error_of_the_request(settings: Settings) -> None:
    class Elsewhere(errors.ConvScopeError):
        pass

    application = create_app(settings)
    application.get("/fail")(failing(Elsewhere("Do this.")))
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/fail")).status_code == 422


async def test_an_error_keeps_its_words(client: httpx.AsyncClient) -> None:
    for error, status in STATUS.items():
        answer = await client.get(f"/fail/{error.__name__}")
        assert answer.status_code == status
        assert answer.json()["type"] == f"urn:convscope:{error.__name__}"
        assert answer.json()["detail"] == "Do {this}."


async def test_a_fault_tells_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fault")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == Problem.media_type
    assert "secret" not in answer.text
