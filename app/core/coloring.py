"""The two colour scales: what colour means, said once for pictures and for the screen.

A sequential scale shows what is never negative, a diverging one what is signed, zero being the
page's own colour, orange negative and blue positive. Both keep their order for colour-blind
readers, since lightness is monotonic on either side of zero.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Theme = Literal["light", "dark"]

# So many values are coloured at a time.
BLOCK = 2**16

SCALES: dict[Theme, dict[str, tuple[str, ...]]] = {
    "light": {
        "sequential": (
            "#ffffff", "#dfe3fb", "#aab4f0", "#6f79db", "#3f3fb0", "#1c1a63",
        ),
        "diverging": (
            "#8a3b00", "#d9782d", "#f5c9a0", "#ffffff", "#b5d3ea", "#3f88bf", "#0b4775",
        ),
    },
    "dark": {
        "sequential": (
            "#14151f", "#2a2b63", "#4a4bb8", "#7d86ee", "#b9c2ff", "#f3f4ff",
        ),
        "diverging": (
            "#ffb066", "#c96f26", "#63391a", "#17181f", "#173a54", "#3c86bb", "#a5d8ff",
        ),
    },
}  # fmt: skip


def palette(theme: Theme, signed: bool) -> NDArray[np.uint8]:
    """The scale as 256 colours (256, 3), linear in sRGB between its stops."""
    stops = SCALES[theme]["diverging" if signed else "sequential"]
    colors = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops])
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, range(len(stops)), colors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def value_range(values: NDArray[np.float32], signed: bool) -> tuple[float, float]:
    """The range that a scale spans: (-m, m) for signed values, (0, m) for others, m > 0."""
    # A network that diverged gives what is no number, and should be looked at all the same.
    finite = np.isfinite(values)
    highest = float(values.max(initial=0.0, where=finite))
    largest = max(highest, -float(values.min(initial=0.0, where=finite))) or 1.0
    return (-largest if signed else 0.0, largest)


def color_indices(values: NDArray[np.float32], span: tuple[float, float]) -> NDArray[np.uint8]:
    """Each value as an index into a palette over ``span``; what is no number as 0."""
    low, high = span
    indices = np.empty(values.shape, np.uint8)
    # A block at a time: in float64 a large layer's weights would take gigabytes.
    with np.nditer(
        [values, indices],
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=[["readonly"], ["writeonly"]],
        op_dtypes=[np.float64, np.uint8],
        order="C",
        buffersize=BLOCK,
    ) as blocks:
        for block, colors in blocks:
            numbers = np.nan_to_num(block, posinf=high, neginf=low)
            colors[...] = np.clip((numbers - low) / (high - low) * 255, 0, 255).round()
    return indices
