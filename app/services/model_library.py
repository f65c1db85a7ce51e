"""The models that there are, loaded when they are first asked for."""

from threading import Lock

import torch
from safetensors.torch import load_file

from app.core.errors import UnknownModel
from app.core.model import Model
from models.registry import WEIGHTS, ModelCard, create_network, list_cards

UNTRAINED_SEED = 0


class ModelLibrary:
    """Cards by name, and models by name once they are wanted."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._cards = {card.name: card for card in list_cards()}
        self._models: dict[str, Model] = {}
        self._loading = Lock()

    def cards(self) -> list[ModelCard]:
        """All cards, the default model's first."""
        return sorted(self._cards.values(), key=lambda card: not card.default)

    def get(self, name: str | None = None) -> Model:
        """The model of that name, else the default one. Raises UnknownModel."""
        card = self._card(name)
        with self._loading:
            if card.name not in self._models:
                self._models[card.name] = self._load(card)
        return self._models[card.name]

    def _card(self, name: str | None) -> ModelCard:
        if name is None:
            return self.cards()[0]
        if name not in self._cards:
            names = ", ".join(self._cards)
            raise UnknownModel(f"There is no model {name!r}. The models are {names}.")
        return self._cards[name]

    def _load(self, card: ModelCard) -> Model:
        # An untrained network is the same one at every start, so that a link to it shows the same.
        with torch.random.fork_rng():
            torch.manual_seed(UNTRAINED_SEED)
            network = create_network(card.network)
        if card.weights:
            network.load_state_dict(load_file(WEIGHTS / card.weights))
        return Model(card, network.eval().to(self._device), self._device)
