"""Large answers: the room that they take is there before they are made, and is given back."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.web.answers import LargeAnswers
from app.web.budget import Budget
from app.web.room import PIECE, make_room

pytestmark = pytest.mark.anyio
MOST = 10 * PIECE


class Counted(Budget):
    """A budget that tells what it holds, and the most that it ever held."""

    most = 0

    def take(self, size: int, own: int = 0) -> bool:
        took = super().take(size, own)
        self.most = max(self.most, self.held)
        return took

    @property
    def held(self) -> int:
        return self._held


async def ask(budget: Budget, taken: int, size: int, made: list[int]) -> httpx.Response:
    """What is answered with ``size`` bytes, for which so many others are taken first."""

    async def answer(request: Request) -> Response:
        make_room(request, taken)
        made.append(taken)
        return PlainTextResponse(b"x" * size)

    transport = httpx.ASGITransport(LargeAnswers(Starlette(routes=[Route("/", answer)]), budget))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/")


@pytest.mark.parametrize(
    ("taken", "size", "most"),
    [
        (0, 0, 0),
        (PIECE, PIECE, 0),
        (4 * PIECE, 2, 4 * PIECE),
        (4 * PIECE, 2 * PIECE, 4 * PIECE),
        (2 * PIECE, 4 * PIECE, 4 * PIECE),
        (0, 4 * PIECE, 4 * PIECE),
        (20 * PIECE, 15 * PIECE, 20 * PIECE),
        (2, 20 * PIECE, 20 * PIECE),
    ],
)
async def test_the_larger_of_both_is_held(taken: int, size: int, most: int) -> None:
    budget = Counted(MOST)
    answer = await ask(budget, taken, size, [])
    assert (answer.status_code, len(answer.content)) == (200, size)
    assert (budget.most, budget.held) == (most, 0)


async def test_what_there_is_no_room_for_is_not_made() -> None:
    budget, made = Counted(MOST), list[int]()
    assert budget.take(8 * PIECE)
    answer = await ask(budget, 3 * PIECE, 2, made)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert made == []
    # One that says too little of itself is made, and refused all the same.
    assert (await ask(budget, PIECE, 3 * PIECE, made)).status_code == 503
    assert (await ask(budget, 2 * PIECE, PIECE, made)).status_code == 200
    assert made == [PIECE, 2 * PIECE]
    assert budget.held == 8 * PIECE
