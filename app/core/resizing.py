"""Images in the size that a network takes, the same way for training and for predictions."""

from torch import Tensor
from torch.nn import functional


def resize(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """Images (n, channels, height, width), float, in the size (height, width), bilinear.

    Those that have it already are given back as they are.
    """
    if images.shape[2:] == size:
        return images
    shrinking = size[0] < images.shape[2] or size[1] < images.shape[3]
    return functional.interpolate(images, size=size, mode="bilinear", antialias=shrinking)
