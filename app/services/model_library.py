"""The models that there are, loaded when they are first asked for."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor, nn

from app.core.checkpoints import load_network, read_card, save_model
from app.core.errors import ConvScopeError, ShippedModel, StorageUnavailable, UnknownModel
from app.core.model import Model
from app.core.whole_files import write_atomically
from models.registry import WEIGHTS, ModelCard, create_network, list_cards

UNTRAINED_SEED = 0
# No card: their names end in .json, and no model's begins with a dot.
DEFAULT = ".default"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

logger = logging.getLogger(__name__)


class BadName(ConvScopeError):
    """A new model can't be called so; the message says why."""


@dataclass(frozen=True)
class _Kept:
    """A file of the folder as it was read: when it was written, and its card unless damaged."""

    written: int
    card: ModelCard | None


class ModelLibrary:
    """Cards by name, and models by name once they are wanted.

    Beside the shipped models there are those whose cards lie in ``folder``, which may be added,
    changed and removed while the library is open. A shipped model's name stays its own; an
    untrained network, of which only the architecture is shipped, gives way to weights of its name.
    The default model is the one that the folder's file ``.default`` names, else the shipped one.
    """

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self._device = device
        self._folder = folder
        self._shipped = {card.name: card for card in list_cards()}
        self._kept: dict[str, _Kept] = {}
        self._models: dict[str, Model] = {}
        self._loading = Lock()
        self._looking = Lock()
        self.shipped_default = next(card for card in self._shipped.values() if card.default)
        self._choose(_read_default(folder) or self.shipped_default.name)
        self._look()

    def cards(self) -> list[ModelCard]:
        """All cards, the default model's first."""
        self._look()
        kept = {name: one.card for name, one in self._kept.items() if one.card}
        cards = list((self._shipped | kept).values())
        return sorted(cards, key=lambda card: not card.default)

    def loaded(self, name: str | None = None) -> Model | None:
        """What ``get`` would return at once, without reading a file."""
        name = self._default if name is None else name
        model, kept = self._models.get(name), self._kept.get(name)
        if model is None or not model.card.weights or model.card is not self._card(name):
            return None
        return model if kept is None or _written(self._path(name)) == kept.written else None

    def get(self, name: str | None = None) -> Model:
        """The model of that name, else the default one.

        Raises UnknownModel, and UnreadableWeights where its weights are damaged.
        """
        self._look()
        name = self._default if name is None else name
        with self._loading:
            card = self._known(name)
            model = self._models.get(name)
            if model is None or model.card is not card:
                self._models[name] = model = self._load(card)
        return model

    def card(self, name: str) -> ModelCard:
        """The card of that name. Raises UnknownModel."""
        self._look()
        return self._known(name)

    def is_kept(self, name: str) -> bool:
        """Whether a model lies in the folder, and so can be deleted. Raises UnknownModel."""
        return self.card(name) is not self._shipped.get(name)

    def add(self, card: ModelCard, weights: dict[str, Tensor]) -> None:
        """Keep a new model, which is there for everybody at once.

        Raises BadName for a name that is taken or that can't be one, and StorageUnavailable.
        """
        if not NAME.fullmatch(card.name):
            raise BadName(
                f"{card.name[:60]!r} can't be a model's name: use up to 40 small letters, digits "
                "and hyphens, a letter or digit first."
            )
        with self._loading:
            self._look()
            if (taken := self._card(card.name)) and taken.weights:
                raise BadName(f"There is a model called {card.name} already. Choose another name.")
            with self._writing() as folder:
                save_model(folder, card, weights)
            self._look()

    def make_default(self, name: str) -> ModelCard:
        """Let a model answer where none is named, from now on and after every start.

        Raises UnknownModel, UnreadableWeights for one that can't be loaded, StorageUnavailable.
        """
        self.get(name)
        with self._looking, self._writing() as folder:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / DEFAULT, name.encode())
            self._choose(name)
        return self.get(name).card

    def remove(self, name: str) -> None:
        """Delete a model that is kept in the folder; requests that have it finish with it.

        The card goes first: weights without a card are no model, a card without weights would be a
        broken one. Raises UnknownModel, ShippedModel and StorageUnavailable.
        """
        if not self.is_kept(name):
            raise ShippedModel(
                f"{name} came with ConvScope and can't be deleted; models that were made here can."
            )
        with self._loading, self._looking, self._writing() as folder:
            card = self._known(name)
            self._path(name).unlink(missing_ok=True)
            del self._kept[name]
            others = [one.card.weights for one in self._kept.values() if one.card]
            if card.weights and card.weights not in others:
                (folder / Path(card.weights).name).unlink(missing_ok=True)
            self._models.pop(name, None)
            if card.default:
                (folder / DEFAULT).unlink(missing_ok=True)
                self._choose(self.shipped_default.name)

    def _card(self, name: str) -> ModelCard | None:
        kept = self._kept.get(name)
        return (kept and kept.card) or self._shipped.get(name)

    def _known(self, name: str) -> ModelCard:
        if card := self._card(name):
            return card
        names = ", ".join({**self._shipped, **self._kept})
        raise UnknownModel(f"There is no model {name!r}. The models are {names}.")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json" if self._folder else Path()

    def _look(self) -> None:
        """Take over what has changed in the folder."""
        with self._looking:
            paths = sorted(self._folder.glob("*.json")) if self._folder else []
            found = {path.stem: self._read(path) for path in paths if self._is_free(path.stem)}
            self._kept = {name: one for name, one in found.items() if one.written}
            if self._card(self._default) is None:
                logger.warning(
                    "The default model %s is no longer in %s: %s is the default instead.",
                    *(self._default, self._folder, self.shipped_default.name),
                )
                self._choose(self.shipped_default.name)

    def _is_free(self, name: str) -> bool:
        return name not in self._shipped or not self._shipped[name].weights

    def _read(self, path: Path) -> _Kept:
        """A file of the folder, read again only when it was written again."""
        before, written = self._kept.get(path.stem), _written(path)
        if before and before.written == written:
            return before
        try:
            card = replace(read_card(path), name=path.stem, default=path.stem == self._default)
        except ConvScopeError as error:
            logger.warning("%s The model is left out.", error)
            return _Kept(written, None)
        return _Kept(written, card)

    def _choose(self, name: str) -> None:
        """Mark the cards, each of which stays the same object where nothing changes."""
        self._default = name
        self._shipped = {one: _marked(card, name) for one, card in self._shipped.items()}
        self._kept = {
            one: replace(kept, card=kept.card and _marked(kept.card, name))
            for one, kept in self._kept.items()
        }

    @contextmanager
    def _writing(self) -> Iterator[Path]:
        """The folder; what its disk refuses is raised as StorageUnavailable."""
        if self._folder is None:
            raise StorageUnavailable("This library has no folder to keep models in.")
        try:
            yield self._folder
        except OSError as error:
            raise StorageUnavailable(
                f"Models can't be kept in {self._folder}: {error.strerror}. Make room there, or "
                "set CONVSCOPE_DATA_DIR to another folder."
            ) from error

    def _load(self, card: ModelCard) -> Model:
        kept = self._folder if card.name in self._kept else None
        network = load_network(card, kept or WEIGHTS) if card.weights else _untrained(card)
        return Model.of(card, network, self._device, lasting=True)


def _untrained(card: ModelCard) -> nn.Module:
    # The same one at every start, so that a link to it shows the same.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTRAINED_SEED)
        return create_network(card.network).eval()


def _read_default(folder: Path | None) -> str | None:
    """The name that was chosen, if any was and it can be read."""
    try:
        return (folder / DEFAULT).read_text().strip() if folder else None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        logger.warning("Which model is the default can't be read: %s.", error)
        return None


def _written(path: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _marked(card: ModelCard, default: str) -> ModelCard:
    is_default = card.name == default
    return card if card.default == is_default else replace(card, default=is_default)
