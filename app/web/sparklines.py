"""A curve as small as a word, in the coordinates of an SVG."""

from collections.abc import Sequence

WIDTH, HEIGHT, MARGIN = 96, 24, 3


def sparkline(values: Sequence[float], places: int) -> list[tuple[float, float]]:
    """The points of a curve through ``values``, from its lowest at the bottom to its highest at
    the top. ``places`` is how many values there are to be: an unfinished curve ends before the
    right edge."""
    low, high = (min(values), max(values)) if values else (0, 0)
    step = (WIDTH - 2 * MARGIN) / max(places - 1, 1)
    return [
        (round(MARGIN + place * step, 1), round(MARGIN + _fall(value, low, high), 1))
        for place, value in enumerate(values)
    ]


def _fall(value: float, low: float, high: float) -> float:
    """How far below the top a value lies; where all are the same, halfway."""
    share = (high - value) / (high - low) if high > low else 0.5
    return share * (HEIGHT - 2 * MARGIN)
