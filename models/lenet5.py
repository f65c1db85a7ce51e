"""LeNet-5, with which it began: LeCun et al., "Gradient-based learning", 1998."""

from collections import OrderedDict

from torch import nn

from models.registry import AS_MNIST, DIGITS, ModelCard, register


@register(
    ModelCard(
        name="lenet5",
        title="LeNet-5",
        description="The ancestor (LeCun, Bottou, Bengio and Haffner, 1998), with tanh and "
        "mean pools, as it is taught today: every map of conv2 reads all of pool1.",
        network="lenet5",
        dataset="mnist",
        classes=DIGITS,
        input_shape=(1, 28, 28),
        preprocessing=AS_MNIST,
    )
)
class LeNet5(nn.Sequential):
    """(batch, 1, 28, 28) -> (batch, 10) logits; 61,706 parameters."""

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 6, kernel_size=5, padding=2),  # (6, 28, 28)
                tanh1=nn.Tanh(),
                pool1=nn.AvgPool2d(2),  # (6, 14, 14)
                conv2=nn.Conv2d(6, 16, kernel_size=5),  # (16, 10, 10)
                tanh2=nn.Tanh(),
                pool2=nn.AvgPool2d(2),  # (16, 5, 5)
                flatten=nn.Flatten(),  # (400,)
                fc1=nn.Linear(16 * 5 * 5, 120),
                tanh3=nn.Tanh(),
                fc2=nn.Linear(120, 84),
                tanh4=nn.Tanh(),
                fc3=nn.Linear(84, 10),
            )
        )
