"""A first convolution that needs no training: it whitens the patches of natural pictures."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# The finest differences of colour in JPEG files of CIFAR-10 vary by 1e-4 to 7e-3, and tell nothing.
SMALLEST = 2e-2


class WhiteningConv2d(nn.Conv2d):
    """A convolution whose filters are fitted to the training pictures, once, and then fixed.

    Neighbouring pixels and colours are nearly the same, so that most filters of an untrained
    network see nothing but brightness. These are the principal directions of all patches, each
    divided by its deviation, and their negatives: the outputs of the first half are uncorrelated
    and of equal size. Only the bias learns. After Coates, Lee and Ng, "An analysis of single-layer
    networks in unsupervised feature learning", 2011, and Page, "How to train your ResNet", 2018.
    """

    def __init__(self, in_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, 2 * in_channels * kernel_size**2, kernel_size)
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def fit(self, inputs: Tensor, smallest: float = SMALLEST) -> None:
        """Set the filters from prepared pictures (n, channels, height, width).

        ``smallest`` is added to each direction's variance, so that noise isn't blown up.
        """
        size = self.kernel_size[0]
        patches = functional.unfold(inputs.float(), size).transpose(1, 2).flatten(0, 1)
        variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (directions / (variances + smallest).sqrt()).T
        filters = filters.flip(0).reshape(-1, *self.weight.shape[1:])  # the strongest first
        self.weight.copy_(torch.cat([filters, -filters]))
