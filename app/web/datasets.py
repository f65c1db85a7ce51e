"""The JSON API of data sets: which there are, and how a user's own comes in."""

from functools import partial
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi.concurrency import run_in_threadpool

from app.core.datasets import list_datasets
from app.core.errors import QueueFull
from app.core.importing import LARGEST_SIDE, USUAL_SIDE, import_dataset
from app.web.dependencies import SettingsDep
from app.web.documenting import problems
from app.web.schemas import DatasetCard

router = APIRouter(prefix="/api/v1/datasets", tags=["data sets"])

# Each takes up to a quarter of the memory twice.
_importing = Lock()


@router.get("", summary="List the data sets", responses=problems(503))
async def list_all(settings: SettingsDep) -> list[DatasetCard]:
    """Those that can be fetched, the one that is bundled, and the user's own."""
    found = await run_in_threadpool(list_datasets, settings.dataset_folders)
    return [DatasetCard.model_validate(dataset) for dataset in found]


@router.post(
    "",
    summary="Import a zip of classes",
    status_code=201,
    responses=problems(413, 422, 429, 507),
)
async def add(
    settings: SettingsDep,
    response: Response,
    file: Annotated[
        UploadFile, File(description="train/<class>/<picture> and test/<class>/<picture>")
    ],
    name: Annotated[str, Form(description="small letters, digits and hyphens", examples=["pets"])],
    size: Annotated[
        int | None,
        Form(
            description=f"Pixels of a side, up to {LARGEST_SIDE}. Without it the pictures' own "
            f"size, if all have the same, else {USUAL_SIDE}."
        ),
    ] = None,
) -> DatasetCard:
    """Makes a data set of a zip with a folder for each class. A zip that is larger than a request
    may be is imported by `convscope data import`."""
    work = partial(import_dataset, file.file, name, settings.dataset_folders, size)
    if not _importing.acquire(blocking=False):
        raise QueueFull("Another data set is being imported. Send this one again in a while.")
    try:
        dataset = await run_in_threadpool(work)
    finally:
        _importing.release()
    response.headers["Location"] = str(router.prefix)
    return DatasetCard.model_validate(dataset)
