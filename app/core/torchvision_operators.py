"""Lets ``import torchvision`` work where its compiled operators don't match the build of torch.

torchvision's Python code registers a meta function for ``torchvision::nms`` at import and stops
when nothing has declared that operator. The data sets need none of the operators, so declaring
the missing ones is enough. Where the compiled operators load, nothing is declared.
"""

import importlib.util
from functools import cache
from pathlib import Path

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def declare_torchvision_operators() -> torch.library.Library | None:
    """Declare what torchvision's import asks for; None where its own operators load.

    Call it before ``import torchvision``. The library is kept for as long as the process lives,
    since torch forgets the declarations with it.
    """
    if _compiled_operators_load():
        return None
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    return library


def _compiled_operators_load() -> bool:
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        return True  # let the import itself say that torchvision is missing
    for binary in sorted(Path(package.origin).parent.glob("_C*")):
        try:
            torch.ops.load_library(str(binary))  # type: ignore[no-untyped-call]
        except OSError:
            return False
        return True
    return False
