"""What a network does with a batch."""

import torch
from torch import Tensor, nn

from ganfw.engine.compilation import as_written
from ganfw.randomness import own_randomness

_ROWS = 4


@torch.no_grad()
def treats_rows_alone(network: nn.Module, samples: Tensor) -> bool:
    """Return whether one pass over two batches gives what a pass over each would.

    It does where no layer mixes the batch (BatchNorm and minibatch statistics do) and no pass leaves a trace
    (running means, the power iteration of spectral normalisation). Found out by trying: the network sees the same
    rows twice, among other neighbours. It is left as it was, and so are the global random generators.

    Args:
        network: in the mode it will be used in.
        samples: `(n, *sample_shape)` float32, n >= 1; what it will be used on.
    """
    rows = samples[:_ROWS]
    outputs = []
    before = [(buffer, buffer.clone(), buffer._version) for buffer in network.buffers()]
    for neighbours in (torch.zeros_like(rows), torch.ones_like(rows)):
        with own_randomness(0, samples.device), as_written(network):
            outputs.append(network(torch.cat([rows, neighbours]))[: len(rows)])
    left_a_trace = False
    for buffer, value, version in before:
        # Batch normalisation does not count as a version, and a power iteration may come out where it started.
        left_a_trace |= buffer._version != version or not torch.equal(buffer, value)
        buffer.copy_(value)
    return not left_a_trace and torch.equal(*outputs)
