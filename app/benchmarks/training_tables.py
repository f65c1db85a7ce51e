"""What was measured of training, as Markdown."""

from collections.abc import Sequence

from app.benchmarks.tables import table
from app.benchmarks.training import TARGET, Comparison, Epoch, Sprint

_EPOCHS = (
    "network",
    "loop",
    "batch",
    "seconds per epoch",
    "images per second",
    "of the lesson's time",
    "recognised after it",
)
_SPRINT = (
    "network",
    "batch",
    "seed",
    "images to train on",
    "reached",
    "from the first batch",
    "in all",
)


def epochs_table(comparisons: Sequence[Comparison]) -> str:
    """A row for each lesson's loop, and below it one for each batch size of ours."""
    rows = []
    for one in comparisons:
        rows.append(_row(one, f"lesson {one.loop.lesson}", one.loop.batch_size, one.lesson))
        for batch_size, epoch in one.ours.items():
            rows.append(_row(one, f"ours, {epoch.tuning}", batch_size, epoch))
    return table(_EPOCHS, rows)


def _row(one: Comparison, loop: str, batch_size: int, epoch: Epoch) -> list[str]:
    return [
        f"`{one.loop.network}`",
        loop,
        str(batch_size),
        f"{epoch.seconds:.2f} s",
        f"{one.images / epoch.seconds:,.0f}",
        f"1 / {one.lesson.seconds / epoch.seconds:.1f}",
        f"{epoch.accuracy:.2%}",
    ]


def sprint_table(sprints: Sequence[Sprint]) -> str:
    """A row each: whether, and if so when, the validation images were recognised as wanted."""
    return table(_SPRINT, [_sprint_row(one) for one in sprints])


def _sprint_row(sprint: Sprint) -> list[str]:
    reached = f"{sprint.accuracy:.2%} after epoch {sprint.epoch}"
    return [
        f"`{sprint.recipe.network}`",
        str(sprint.recipe.batch_size),
        str(sprint.recipe.seed),
        f"{sprint.images:,}",
        reached if sprint.reached else f"{reached}, not {TARGET:.0%}",
        f"{sprint.seconds:.2f} s",
        f"{sprint.from_start:.2f} s",
    ]
