"""Ink on unevenly lit paper: the paper's own brightness is estimated everywhere and divided out.

A quadratic surface, fitted without regard to outliers, tells whether the ink is the darker or the
lighter side. A grey closing (Serra, "Image Analysis and Mathematical Morphology", 1982), which
fills dark strokes but keeps the edges of shadows, gives the paper as it would look without ink.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Grey = NDArray[np.float32]
Floats = NDArray[np.float64]

# Fainter ink than this share of the paper's brightness is not told from paper.
_FAINTEST = 0.05

# So many deviations of the noise are doubted. What is solid exceeds so many, and that share: ink of
# 120 photographed drawings came to more than 12 deviations, what is seen in blank paper to 5.4.
_DOUBT, _CERTAIN, _FAINTEST_SOLID = 2.2, 6.0, 0.08


def ink_share(grey: NDArray[np.uint8], widest: int) -> Grey:
    """How much of the light each pixel of a grey picture (h, w) swallows: 0 paper, 1 solid ink.

    Strokes are narrower than ``widest`` pixels. The picture should be at most some 256 pixels a
    side. All zeros where no ink stands out.
    """
    values = grey.astype(np.float32)
    noise = _noise(values)
    if _ink_is_lighter(grey):
        values = 255 - values
    # In logarithms the light is added to the paper's brightness, and its slope goes on evenly.
    calm = np.log(np.maximum(ndimage.gaussian_filter(values, 0.6), 4))
    paper = _paper(calm, widest)
    share = np.clip(1 - np.exp(calm - paper), 0, 1)
    # Noise that is the same everywhere counts for more where the paper is in shadow.
    doubt = (_DOUBT * noise / np.exp(paper)).astype(np.float32)
    return _stretched(share, doubt)


def _noise(values: Grey) -> float:
    """The standard deviation of a picture's noise, from the differences of neighbours."""
    steps = np.abs(np.diff(values, axis=int(values.shape[1] > 1)))
    return float(1.4826 / np.sqrt(2) * np.median(steps)) + 0.5


def _ink_is_lighter(grey: NDArray[np.uint8]) -> bool:
    """Whether more is lighter than a smooth surface through the paper than darker.

    Strong shadows leave no smooth surface; then fine strokes, lighter or darker, decide.
    """
    coarse = np.asarray(Image.fromarray(grey).reduce(max(1, max(grey.shape) // 48)), np.float64)
    residual = coarse - _surface(coarse)
    spread = 3 * 1.4826 * float(np.median(np.abs(residual)))
    lighter, darker = (np.clip(side * residual - spread, 0, None) for side in (1, -1))
    coarse_sides, fine_sides = (_energy(lighter), _energy(darker)), _fine_strokes(grey)
    evidence = 0.1 * float((lighter**2 + darker**2).sum())
    clear = max(fine_sides) > max(evidence, 4 * min(fine_sides))
    light, dark = fine_sides if clear else coarse_sides
    return light > dark


def _fine_strokes(grey: NDArray[np.uint8]) -> tuple[float, float]:
    """How much there is of narrow light and of narrow dark shapes: top-hat and bottom-hat."""
    coarse = np.asarray(Image.fromarray(grey).reduce(max(1, max(grey.shape) // 96)), np.float32)
    calm = ndimage.gaussian_filter(coarse, 0.7)
    doubt, side = 4 * _noise(calm), max(3, max(calm.shape) // 20)
    light = calm - ndimage.grey_opening(calm, size=(side, side))
    dark = ndimage.grey_closing(calm, size=(side, side)) - calm
    lighter, darker = (float((np.clip(h - doubt, 0, None) ** 2).sum()) / 4 for h in (light, dark))
    return lighter, darker


def _surface(values: Floats) -> Floats:
    """A quadratic surface through the paper, by iteratively reweighted least squares.

    The weights are Tukey's biweight: Beaton and Tukey, Technometrics 16 (1974).
    """
    basis, wanted = _quadratic(*values.shape), values.ravel()
    residual = wanted - np.median(wanted)
    fitted = wanted
    for _ in range(8):
        spread = max(4.0, 1.4826 * float(np.median(np.abs(residual))))
        weights = np.clip(1 - (residual / (4 * spread)) ** 2, 0, 1) + 1e-4
        weighted = basis * weights[:, None]
        terms = np.linalg.solve(weighted.T @ basis + 1e-6 * np.eye(6), weighted.T @ wanted)
        fitted = basis @ terms
        residual = wanted - fitted
    return fitted.reshape(values.shape)


def _quadratic(height: int, width: int) -> Floats:
    """The six terms of a quadratic in y and x, per pixel: (height * width, 6)."""
    y, x = np.mgrid[0:height, 0:width].reshape(2, -1) + 0.5
    y, x = y / height * 2 - 1, x / width * 2 - 1
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def _energy(outlying: Floats) -> float:
    """The sum of squares; what touches the border counts less, for lights and shadows do."""
    labels, count = ndimage.label(outlying > 0, np.ones((3, 3), bool))
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    weights = np.ones(count + 1)
    weights[border] = 0.01
    return float((outlying**2 * weights[labels]).sum())


def _paper(values: Grey, widest: int) -> Grey:
    """The picture without its dark strokes. Beyond its border it goes on as it leaves it."""
    margins = [(min(widest // 2, length - 1),) * 2 for length in values.shape]
    wide = np.pad(values, margins, mode="reflect", reflect_type="odd")
    closed = ndimage.grey_closing(ndimage.gaussian_filter(wide, 1.5), size=(widest, widest))
    (top, _), (left, _) = margins
    paper: Grey = closed[top : top + values.shape[0], left : left + values.shape[1]]
    return paper


def _stretched(share: Grey, doubt: Grey) -> Grey:
    """Solid ink as 1, paper as 0, with soft edges between."""
    standing_out = share[share > np.maximum(doubt, _FAINTEST)]
    if standing_out.size < 4:
        return np.zeros_like(share)
    core = _solid(standing_out)
    if core < max(_FAINTEST_SOLID, _CERTAIN / _DOUBT * float(np.median(doubt))):
        return np.zeros_like(share)
    low = np.maximum(0.3 * core, doubt)
    high = np.maximum(0.75 * core, low * 1.3)
    stretched: Grey = np.clip((share - low) / (high - low), 0, 1).astype(np.float32)
    return stretched


def _solid(shares: Grey) -> float:
    """The share of solid ink: the median of the darker class by Otsu's threshold (1979)."""
    counts, edges = np.histogram(shares, 64)
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    apart = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    threshold = edges[1 + int((below * above * apart**2)[:-1].argmax())]
    return float(np.median(shares[shares >= threshold]))
