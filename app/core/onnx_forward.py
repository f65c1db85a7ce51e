"""Forward passes by ONNX Runtime, which takes half of torch's time for one small picture.

Torch stays the reference: a network whose logits come out otherwise, or that can't be written in
ONNX, goes on with torch, and so does everything where the extra ``onnx`` isn't installed.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from app.core.layers import Layer
from app.core.receptive_fields import Shape

# (batch, channels, height, width) -> (batch, classes) logits, on the CPU, from any thread.
Forward = Callable[[Tensor], Tensor]

# Logits may be so far from torch's, as a share of the largest.
TOLERANCE = 1e-5

# A second copy of the weights is kept. Larger networks gain little.
MOST_PARAMETERS = 2**24

logger = logging.getLogger(__name__)


def onnx_forward(network: nn.Module, layers: Sequence[Layer], input_shape: Shape) -> Forward | None:
    """The network's forward pass by ONNX Runtime, None where torch has to do it.

    The network is on the CPU and in evaluation mode; ``layers`` are ``list_layers``'s.
    """
    if sum(parameter.numel() for parameter in network.parameters()) > MOST_PARAMETERS:
        return None
    try:
        import onnxruntime

        from app.core.onnx_graph import INPUT, LOGITS, NotInOnnx, to_onnx
    except ModuleNotFoundError as error:
        if error.name not in ("onnx", "onnxruntime"):
            raise
        return None
    options = onnxruntime.SessionOptions()
    # As torch's in the server: a second thread has more to do than half of a small picture.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        graph = to_onnx(network, layers, input_shape).SerializeToString()
    except NotInOnnx as error:
        logger.info("Torch runs this network: %s", error)
        return None
    run = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"]).run

    def forward(inputs: Tensor) -> Tensor:
        (logits,) = run([LOGITS], {INPUT: inputs.numpy()})
        return torch.from_numpy(logits)

    return forward if _agrees(forward, network, input_shape) else None


def _agrees(forward: Forward, network: nn.Module, input_shape: Shape) -> bool:
    """Whether some pictures get torch's logits, two at once too."""
    pictures = torch.rand((2, *input_shape), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(pictures)
        found = torch.cat([forward(pictures), forward(pictures[:1])])
    expected = torch.cat([expected, expected[:1]])
    farthest = float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
    if farthest <= TOLERANCE:
        return True
    logger.warning("ONNX Runtime's logits are %.1e from torch's, which goes on.", farthest)
    return False
