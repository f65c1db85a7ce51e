"""The median rule: which run of a sweep is not worth going on with.

After Golovin et al., "Google Vizier: A Service for Black-Box Optimization", 2017, section 3.2.2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

FEWEST_OTHERS = 3


@dataclass(frozen=True)
class Behind:
    """A run whose best accuracy by ``epoch`` is below the median of ``others`` other runs."""

    epoch: int
    best: float
    median: float
    others: int

    def __str__(self) -> str:
        return (
            f"Stopped early: its best accuracy by epoch {self.epoch} was {self.best * 100:.2f} %, "
            f"below {self.median * 100:.2f} %, the median of the averages of {self.others} other "
            "runs by then."
        )


def judge(accuracies: Sequence[float], others: Iterable[Sequence[float]]) -> Behind | None:
    """Whether a run is behind, after epoch e = len(accuracies); None where it isn't.

    It is where the best of its validation ``accuracies`` is strictly below the median, over those
    ``others`` that have reached epoch e, of their mean accuracy over the epochs 1..e. Fewer than
    three others say nothing.
    """
    epoch = len(accuracies)
    if not epoch:
        return None
    averages = [fmean(one[:epoch]) for one in others if len(one) >= epoch]
    if len(averages) < FEWEST_OTHERS:
        return None
    best, middle = max(accuracies), median(averages)
    return Behind(epoch, best, middle, len(averages)) if best < middle else None
