"""The models that there are, loaded when they are first asked for."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor, nn

from app.core.checkpoints import load_network, read_card, save_model
from app.core.errors import ConvScopeError, StorageUnavailable, UnknownModel
from app.core.model import Model
from models.registry import WEIGHTS, ModelCard, create_network, list_cards

UNTRAINED_SEED = 0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")

logger = logging.getLogger(__name__)


class BadName(ConvScopeError):
    """A new model can't be called so; the message says why."""


class ModelLibrary:
    """Cards by name, and models by name once they are wanted.

    Beside the shipped models there are those whose cards lie in ``folder``, which may be added
    while the library is open. A shipped model's name stays its own; an untrained network, of which
    only the architecture is shipped, gives way to weights of its name.
    """

    def __init__(self, device: torch.device, folder: Path | None = None) -> None:
        self._device = device
        self._folder = folder
        self._cards = {card.name: (card, WEIGHTS) for card in list_cards()}
        self._default = next(card.name for card, _ in self._cards.values() if card.default)
        self._models: dict[str, Model] = {}
        self._loading = Lock()

    def cards(self) -> list[ModelCard]:
        """All cards, the default model's first."""
        self._look_for_more()
        cards = [card for card, _ in self._cards.values()]
        return sorted(cards, key=lambda card: not card.default)

    def loaded(self, name: str | None = None) -> Model | None:
        """What ``get`` would return at once, without reading a file."""
        model = self._models.get(self._default if name is None else name)
        return model if model and model.card.weights else None

    def get(self, name: str | None = None) -> Model:
        """The model of that name, else the default one.

        Raises UnknownModel, and UnreadableWeights where its weights are damaged.
        """
        name = self._default if name is None else name
        if not self._is_trained(name):
            self._look_for_more()
        if name not in self._cards:
            names = ", ".join(self._cards)
            raise UnknownModel(f"There is no model {name!r}. The models are {names}.")
        with self._loading:
            card, folder = self._cards[name]
            model = self._models.get(name)
            if model is None or model.card is not card:
                self._models[name] = model = self._load(card, folder)
        return model

    def add(self, card: ModelCard, weights: dict[str, Tensor]) -> None:
        """Keep a new model, which is there for everybody at once.

        Raises BadName for a name that is taken or that can't be one, and StorageUnavailable.
        """
        if not NAME.fullmatch(card.name):
            raise BadName(
                f"{card.name[:60]!r} can't be a model's name: use up to 40 small letters, digits "
                "and hyphens, a letter or digit first."
            )
        if self._folder is None:
            raise StorageUnavailable("This library has no folder to keep models in.")
        with self._loading:
            self._look_for_more()
            if self._is_trained(card.name):
                raise BadName(f"There is a model called {card.name} already. Choose another name.")
            try:
                save_model(self._folder, card, weights)
            except OSError as error:
                raise StorageUnavailable(
                    f"Models can't be kept in {self._folder}: {error.strerror}. Make room there, "
                    "or set CONVSCOPE_DATA_DIR to another folder."
                ) from error
            self._look_for_more()

    def _is_trained(self, name: str) -> bool:
        return name in self._cards and self._cards[name][0].weights is not None

    def _look_for_more(self) -> None:
        paths = sorted(self._folder.glob("*.json")) if self._folder else []
        for path in paths:
            if self._is_trained(path.stem):
                continue
            try:
                card = replace(read_card(path), name=path.stem, default=False)
                self._cards[path.stem] = (card, path.parent)
            except ConvScopeError as error:
                logger.warning("%s The model is left out.", error)

    def _load(self, card: ModelCard, folder: Path) -> Model:
        network = load_network(card, folder) if card.weights else _untrained(card)
        return Model.of(card, network, self._device)


def _untrained(card: ModelCard) -> nn.Module:
    # The same one at every start, so that a link to it shows the same.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(UNTRAINED_SEED)
        return create_network(card.network).eval()
