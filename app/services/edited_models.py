"""Models with edited weights, which every view and operation takes like any other.

Such a model is called ``<base>~<hash>``, the hash being made of the edits; no other model's name
has a ~. What is kept of it is the list of its edits, so a link to it holds as long as its base.
"""

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from torch import nn

from app.core.cards import with_test
from app.core.editing import card_of_edits, card_to_keep, edit_network, in_words
from app.core.edits import MOST_EDITS, BadEdit, Edit, read_edits, to_json
from app.core.errors import (
    StorageUnavailable,
    UnknownModel,
    UnknownRun,
    UnknownSnapshot,
    UnreadableWeights,
)
from app.core.evaluating import Evaluation
from app.core.model import Model
from app.core.whole_files import keep_content
from app.services.model_library import ModelLibrary
from app.services.snapshot_models import SnapshotModels, is_snapshot
from models.registry import ModelCard

# Of all that are kept in memory: how many, and the bytes of weights that are theirs alone.
MOST = 32
MOST_BYTES = 256 * 1024 * 1024

_HASH = re.compile(r"[0-9a-f]{12}")


def is_edited(name: str) -> bool:
    """Whether a model's name is that of an edited one."""
    return "~" in name


def base_of(name: str) -> str:
    """The name of the model that was edited; a name that isn't an edited model's is its own."""
    return name.partition("~")[0]


@dataclass(frozen=True)
class Edited:
    """A model with its base and all its edits, of which a model that isn't edited has none."""

    model: Model
    base: Model
    edits: tuple[Edit, ...]

    @property
    def words(self) -> list[str]:
        """What each edit does."""
        return in_words(self.base, self.edits)


class EditedModels:
    """Models by the edits that lie in ``folder``; those that were asked for last are kept ready."""

    def __init__(self, folder: Path, library: ModelLibrary, snapshots: SnapshotModels) -> None:
        self._folder = folder
        self._library = library
        self._snapshots = snapshots
        self._ready: OrderedDict[str, tuple[Edited, int]] = OrderedDict()
        self._lock = Lock()

    def loaded(self, name: str | None) -> Model | None:
        """What ``get`` would return at once, without reading a file."""
        if name is None or not is_edited(name):
            return self._loaded_base(name)
        edited = self._kept(name, self._loaded_base(base_of(name)))
        return edited.model if edited else None

    def get(self, name: str | None = None) -> Model:
        """The model of that name, edited or not, else the default one.

        Raises UnknownModel, for edits whose base is gone, too; UnknownRun, UnknownSnapshot, and
        UnreadableWeights.
        """
        return self.find(name).model

    def find(self, name: str | None) -> Edited:
        """The same with its base and its edits."""
        if name is None or not is_edited(name):
            model = self._base(name)
            return Edited(model, model, ())
        base = self._known_base(name)
        return self._kept(name, base) or self._load(name, base)

    def make(self, name: str, edits: Sequence[Edit]) -> Edited:
        """The model with more edits: a model of a name of its own, there from now on.

        Raises what ``find`` raises, BadEdit and StorageUnavailable.
        """
        before = self.find(name)
        base, known = before.base, len(before.edits)
        if known + len(edits) > MOST_EDITS:
            said = f"{name} has {known} edits, and a model has {MOST_EDITS} at most."
            raise BadEdit(faults={"edits": said})
        made = _edited(base, (*before.edits, *edits), known)
        self._write(made)
        return self._keep(made)

    def keep(self, name: str, own: str, evaluation: Evaluation | None) -> ModelCard:
        """Keep the weights of an edited model as one's own model called ``own``, with what was
        measured of them. Raises what ``find`` raises, BadEdit, BadName, StorageUnavailable."""
        found = self.find(name)
        if not found.edits:
            raise BadEdit(f"{name} has no edits: there is nothing to keep that isn't there yet.")
        card = card_to_keep(found.model.card, own)
        card = with_test(card, evaluation) if evaluation else card
        self._library.add(card, found.model.network.state_dict())
        return card

    def names_of(self, base: str) -> list[str]:
        """The edited models that were made of a base."""
        return sorted(
            path.stem for path in self._folder.glob("*~*.json") if base_of(path.stem) == base
        )

    def forget(self, base: str) -> None:
        """Let the edits of a base that is gone go with it, so that another model of its name isn't
        edited, too."""
        for name in self.names_of(base):
            self._path(name).unlink(missing_ok=True)
            with self._lock:
                self._ready.pop(name, None)

    def _loaded_base(self, name: str | None) -> Model | None:
        if name and is_snapshot(name):
            return self._snapshots.loaded(name)
        return self._library.loaded(name)

    def _base(self, name: str | None) -> Model:
        if name and is_snapshot(name):
            return self._snapshots.get(name)
        return self._library.get(name)

    def _known_base(self, name: str) -> Model:
        base = base_of(name)
        try:
            return self._base(base)
        except (UnknownModel, UnknownRun, UnknownSnapshot) as error:
            raise UnknownModel(
                f"{name[:80]!r} is {base[:60]!r} with edits, and that is no longer there. {error}"
            ) from error

    def _kept(self, name: str, base: Model | None) -> Edited | None:
        """The model that is ready, unless its base is another by now."""
        with self._lock:
            if name not in self._ready or self._ready[name][0].base is not base:
                return None
            self._ready.move_to_end(name)
            return self._ready[name][0]

    def _load(self, name: str, base: Model) -> Edited:
        edits = self._read(name)
        try:
            return self._keep(_edited(base, edits))
        except BadEdit as error:
            raise UnknownModel(
                f"{name} no longer fits {base.card.name}, which is another model by now: {error}"
            ) from error

    def _read(self, name: str) -> tuple[Edit, ...]:
        # Only a name of our own making becomes a path; the base was found by its name before.
        path = self._path(name)
        if not _HASH.fullmatch(name.partition("~")[2]) or not path.exists():
            raise UnknownModel(
                f"There is no model {name[:80]!r}: nothing is kept of its edits. Make them again "
                f"with POST /api/v1/models/{base_of(name)}/edits."
            )
        try:
            content = path.read_bytes()
            if name.partition("~")[2] != _hash(content):
                raise ValueError("These are not the edits that were kept.")
            return read_edits(json.loads(content))
        except (OSError, ValueError, RecursionError, BadEdit) as error:
            raise UnreadableWeights(
                f"{path} doesn't hold edits any more: remove the file. {error}"
            ) from error

    def _write(self, made: Edited) -> None:
        content = to_json(made.base.card.name, made.edits).encode()
        try:
            keep_content(self._path(made.model.card.name), content)
        except OSError as error:
            raise StorageUnavailable(
                f"Edits can't be kept in {self._folder}: {error.strerror}. Make room there, or set "
                "CONVSCOPE_DATA_DIR to another folder."
            ) from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _keep(self, made: Edited) -> Edited:
        with self._lock:
            name = made.model.card.name
            self._ready[name] = made, _own_bytes(made)
            self._ready.move_to_end(name)
            while len(self._ready) > 1 and (
                len(self._ready) > MOST
                or sum(size for _, size in self._ready.values()) > MOST_BYTES
            ):
                self._ready.popitem(last=False)
        return made


def _edited(base: Model, edits: tuple[Edit, ...], known: int = 0) -> Edited:
    network = edit_network(base, edits, known)
    content = to_json(base.card.name, edits)
    name = f"{base.card.name}~{_hash(content.encode())}"
    card = card_of_edits(base.card, name, in_words(base, edits))
    return Edited(Model.of(card, network, base.device), base, edits)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _own_bytes(made: Edited) -> int:
    """What the model takes besides its base; a snapshot is there for its edits alone, maybe."""
    shared: set[nn.Parameter] = set()
    if not is_snapshot(made.base.card.name):
        shared = set(made.base.network.parameters())
    own = (one for one in made.model.network.parameters() if one not in shared)
    return sum(parameter.numel() * parameter.element_size() for parameter in own)
