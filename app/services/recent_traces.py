"""The traces that were asked for last, so that walking from unit to unit runs no network again."""

import weakref
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from app.core.model import Model
from app.core.preparing import prepare
from app.core.tracing import Trace
from app.services.image_store import ImageStore

# Of all that are kept, in bytes of activations: some traces of the largest networks.
MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class _Kept:
    """A trace, and the model that it is of, which may go when it is no longer used."""

    model: "weakref.ref[Model]"
    trace: Trace
    size: int


class RecentTraces:
    """Traces of models for kept images.

    A model is known by its object: other weights under the same name are another model.
    """

    def __init__(self, images: ImageStore, most_bytes: int = MOST_BYTES) -> None:
        self._images = images
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        self._lock = Lock()

    def get(self, model: Model, image: str) -> Trace:
        """The trace of a model for an image.

        Raises UnknownImage, and what preparing raises.
        """
        return self._find(model, image) or self._keep(model, image, self._make(model, image))

    def _find(self, model: Model, image: str) -> Trace | None:
        key = id(model), image
        with self._lock:
            kept = self._kept.get(key)
            # Another model may have come to lie where one was that is gone.
            if kept is None or kept.model() is not model:
                return None
            self._kept.move_to_end(key)
            return kept.trace

    def _make(self, model: Model, image: str) -> Trace:
        card = model.card
        prepared = prepare(self._images.picture(image), card.input_shape, card.preprocessing)
        return model.trace(prepared.tensor)

    def _keep(self, model: Model, image: str, trace: Trace) -> Trace:
        key, size = (id(model), image), trace.size_in_bytes
        with self._lock:
            self._kept[key] = _Kept(weakref.ref(model), trace, size)
            self._kept.move_to_end(key)
            while sum(kept.size for kept in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
        return trace
