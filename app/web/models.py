"""The API of models of one's own: which one is the default, and their deletion."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool

from app.services.model_uses import delete_model
from app.web.dependencies import EditedDep, LibraryDep, StoreDep
from app.web.documenting import MODEL, problems
from app.web.schemas import Card, describe_card

router = APIRouter(prefix="/api/v1/models", tags=["models"])

Name = Annotated[str, Path(description="A model's name.", openapi_examples=MODEL)]


@router.put(
    "/{model}/default", summary="Make a model the default", responses=problems(404, 503, 507)
)
async def make_default(library: LibraryDep, model: Name) -> Card:
    """It answers wherever no model is named, now and after every start."""
    return describe_card(await run_in_threadpool(library.make_default, model))


@router.delete(
    "/{model}", summary="Delete a model", status_code=204, responses=problems(404, 409, 507)
)
async def delete(
    library: LibraryDep,
    store: StoreDep,
    edited: EditedDep,
    model: Name,
    force: Annotated[
        bool, Query(description="Delete it though a run was made into it or it is the default.")
    ] = False,
) -> None:
    """Deletes a model that was made or fetched here. Where something needs it, the answer says what
    would break; requests that are under way finish with it."""
    await run_in_threadpool(partial(delete_model, model, library, store, edited, force))
