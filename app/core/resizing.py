"""Images of the size and the channels that a network takes, the same way for training and for
predictions."""

import torch
from torch import Tensor
from torch.nn import functional

# Thousandths of red, green and blue, as Pillow has them (ITU-R BT.601).
LUMA = 299, 587, 114


def in_channels(images: Tensor, channels: int) -> Tensor:
    """Images (n, 1 or 3, height, width), uint8, with so many channels: grey is repeated, red, green
    and blue become their luma."""
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    red, green, blue = (part * images[:, [place]].int() for place, part in enumerate(LUMA))
    luma = ((red + green + blue + 500) // 1000).to(torch.uint8)
    return luma.expand(-1, channels, -1, -1)


def middle(size: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, int, int, int]:
    """The top, left, height and width of the largest part of a picture of ``size`` (height, width)
    that is as wide for its height as ``wanted``: whole pixels, in the picture's middle."""
    scale = min(size[0] / wanted[0], size[1] / wanted[1])
    height, width = (max(1, round(side * scale)) for side in wanted)
    return (size[0] - height) // 2, (size[1] - width) // 2, height, width


def resize(images: Tensor, size: tuple[int, ...]) -> Tensor:
    """The middle of images (n, channels, height, width), float, in the size (height, width),
    bilinear. Those that have it already are given back as they are.
    """
    top, left, height, width = middle(tuple(images.shape[2:]), size)
    images = images[:, :, top : top + height, left : left + width]
    if images.shape[2:] == size:
        return images
    shrinking = size[0] < images.shape[2] or size[1] < images.shape[3]
    return functional.interpolate(images, size=size, mode="bilinear", antialias=shrinking)
