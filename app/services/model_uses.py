"""What needs a model, and how a model is deleted."""

from app.core.errors import ModelInUse
from app.services.edited_models import EditedModels
from app.services.model_library import ModelLibrary
from app.services.run_store import RunStore
from models.registry import list_networks


def uses_of(model: str, library: ModelLibrary, store: RunStore) -> list[str]:
    """What is known to need a model, as clauses of what becomes of it without. Raises UnknownModel
    and StorageUnavailable."""
    runs = [f"{run.name} ({run.id})" for run in store.all() if run.model == model]
    uses = [f"the page of the run {run} no longer leads to a model" for run in runs]
    if library.card(model).default:
        uses.append(f"{library.shipped_default.name} is the default model again")
    return uses


def what_breaks(model: str, library: ModelLibrary, store: RunStore, edited: EditedModels) -> str:
    """A sentence that says what breaks without a model: its uses, what was edited of it, and the
    links that others may keep."""
    link, then = f"links such as /?model={model}", f'answer "There is no model {model!r}"'
    if model in list_networks():
        then = "show the network with random weights"
    uses = uses_of(model, library, store)
    if edits := len(edited.names_of(model)):
        uses.append(f"its {edits} edited models go with it")
    return f"Without {model} {'; '.join([*uses, f'{link} {then}'])}."


def delete_model(
    model: str, library: ModelLibrary, store: RunStore, edited: EditedModels, force: bool
) -> None:
    """Delete a model of one's own with all that was edited of it; the runs that it was made of
    forget it.

    Raises UnknownModel, ShippedModel, StorageUnavailable and, unless ``force``, ModelInUse.
    """
    if not force and library.is_kept(model) and uses_of(model, library, store):
        raise ModelInUse(
            f"{what_breaks(model, library, store, edited)} Ask with ?force=true to delete it all "
            "the same."
        )
    # On a full disk this order makes the room that the second step needs.
    library.remove(model)
    store.forget_model(model)
    edited.forget(model)


def forget_gone_models(library: ModelLibrary, store: RunStore) -> None:
    """Let the runs forget models that are gone: their files were removed by hand, or the server
    was killed while it deleted one."""
    there = {card.name for card in library.cards() if card.weights}
    for model in {run.model for run in store.all() if run.model} - there:
        store.forget_model(model)
