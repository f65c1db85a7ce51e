"""The JSON API of augmentations: which there are, and what they make of a picture."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.openapi.models import Example

from app.core.augmenting import list_augmentations
from app.core.previewing import preview
from app.core.recipes import MOST_AUGMENTATIONS
from app.web.dependencies import ImagesDep, PredictorDep, WantedModelDep
from app.web.documenting import IMAGE, binary, problems
from app.web.rendering import pictures_as_png

router = APIRouter(prefix="/api/v1/augmentations", tags=["augmentations"])

COUNT = 9

ENTRIES: dict[str, Example] = {
    "two": {
        "summary": "Two, the second one changed",
        "value": '["blur", {"name": "rotation", "degrees": 20}]',
    },
    "none": {"summary": "None", "value": "[]"},
}


@router.get("", summary="List the augmentations")
async def list_all() -> dict[str, dict[str, float]]:
    """The parameters, with their defaults, of every augmentation that a recipe may name."""
    return list_augmentations()


@router.get(
    "/preview.png",
    summary="Nine random results of augmentations",
    response_class=Response,
    responses=binary("image/png", "Three rows of three pictures.") | problems(404, 422),
)
async def preview_png(
    model: WantedModelDep,
    images: ImagesDep,
    predictor: PredictorDep,
    image: Annotated[
        str, Query(description="An image's id, from POST /api/v1/images.", openapi_examples=IMAGE)
    ],
    augmentation: Annotated[
        str,
        Query(
            description="As in a recipe: a JSON list of names or objects.", openapi_examples=ENTRIES
        ),
    ] = "[]",
    seed: Annotated[int, Query(ge=0, lt=2**63, description="All chance follows from it.")] = 0,
    zoom: Annotated[int, Query(ge=1, le=8, description="Pixels per pixel.")] = 1,
) -> Response:
    """One picture, prepared for the model and augmented nine times; the same seed gives the same
    nine."""
    entries = _entries(augmentation)
    pictures = await predictor.run(
        lambda: preview(images.picture(image), model.card, entries, seed, COUNT).numpy()
    )
    return Response(pictures_as_png(pictures, zoom), media_type="image/png")


def _entries(text: str) -> list[dict[str, Any]]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or len(values) > MOST_AUGMENTATIONS:
        raise HTTPException(
            422,
            f"augmentation is a JSON list of up to {MOST_AUGMENTATIONS} names or objects, such as "
            '["blur"].',
        )
    entries = [{"name": one} if isinstance(one, str) else one for one in values]
    for entry in entries:
        if not isinstance(entry, dict):
            raise HTTPException(
                422,
                f"An entry of augmentation is a name or an object, not {str(entry)[:60]}.",
            )
    return entries
