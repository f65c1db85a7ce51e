"""The JSON API of sweeps: many runs of one plan."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from fastapi.concurrency import run_in_threadpool

from app.core.sweeping import SweepPlan
from app.web.dependencies import SweeperDep, SweepsDep
from app.web.documenting import PLANS, SWEEP, problems
from app.web.sweep_schemas import SweepAnswer

router = APIRouter(prefix="/api/v1/sweeps", tags=["sweeps"])

SweepId = Annotated[str, Path(description="A sweep's id.", openapi_examples=SWEEP)]


@router.post(
    "",
    name="launch_sweep",
    summary="Sweep over recipes",
    status_code=202,
    responses=problems(413, 422, 429, 503, 507),
)
async def launch(
    sweeper: SweeperDep,
    response: Response,
    plan: Annotated[dict[str, Any], Body(openapi_examples=PLANS)],
    name: Annotated[
        str | None,
        Query(max_length=80, description="What to call it; its recipe's network unless given."),
    ] = None,
) -> SweepAnswer:
    """Queues a run for every combination of a `grid`, or for so many `samples` of a `random`
    search: all of them, or none where one can't be trained. Each of `fields` is a field of the
    `recipe` with a list of values or, at random, `low`, `high` and the `scale` linear or log. With
    `stop_early` a run ends when its best accuracy falls below the median of the others' averages.
    """

    def start() -> SweepAnswer:
        wanted = SweepPlan.from_dict(plan)
        return SweepAnswer.of(sweeper.launch(wanted, name or wanted.recipe.network))

    sweep = await run_in_threadpool(start)
    response.headers["Location"] = f"{router.prefix}/{sweep.id}"
    return sweep


@router.get("", name="list_sweeps", summary="List the sweeps")
async def list_all(sweeps: SweepsDep) -> list[SweepAnswer]:
    """All sweeps, the newest first."""
    return [SweepAnswer.of(sweep) for sweep in await run_in_threadpool(sweeps.all)]


@router.get("/{sweep}", name="get_sweep", summary="One sweep", responses=problems(404))
async def get_sweep(sweeps: SweepsDep, sweep: SweepId) -> SweepAnswer:
    """Its plan, and its runs with what varies, how far they are and how good."""
    return SweepAnswer.of(await run_in_threadpool(sweeps.get, sweep))


@router.post(
    "/{sweep}/cancel",
    name="cancel_sweep",
    summary="Cancel a sweep",
    responses=problems(404, 409),
)
async def cancel(sweeper: SweeperDep, sweep: SweepId) -> SweepAnswer:
    """Ends all of its runs that could still go on; their snapshots stay."""
    return SweepAnswer.of(await run_in_threadpool(sweeper.cancel, sweep))


@router.delete(
    "/{sweep}",
    name="delete_sweep",
    summary="Delete a sweep",
    status_code=204,
    responses=problems(404, 409),
)
async def delete(sweeper: SweeperDep, sweep: SweepId) -> None:
    """Forgets an ended sweep with its runs, their histories and their snapshots."""
    await run_in_threadpool(sweeper.delete, sweep)
