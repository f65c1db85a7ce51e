"""The whole application in this process, with what it keeps in a folder of its own, and runs that
can't begin."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from app import main
from app.core.recipes import Recipe
from app.services.engine import LiveRun
from app.settings import Settings


class NoEngine:
    """Trains nothing."""

    def launch(self, recipe: Recipe, state: bytes | None = None) -> LiveRun:
        raise OSError(11, "Resource temporarily unavailable")

    def close(self) -> None:
        pass


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it; a fault in there is an answer of status 500."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "create_engine", lambda settings: NoEngine())
        application = main.create_app(settings)
    async with application.router.lifespan_context(application) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = dict(state or {})
            await application(scope, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client
