"""Samples that are translations of given inputs."""

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn

from ganfw import InputError, SampleRequest, call_network, evaluation_mode


class Translation:
    """Gives what a network makes of inputs: real samples, or another entry of the data.

    For networks from images to images: pix2pix (Isola et al., "Image-to-Image Translation with Conditional Adversarial
    Networks", 2017) and CycleGAN (Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
    Networks", 2017).

    Raises:
        InputError: the recipe has no such network.
    """

    takes_inputs = True

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        device: torch.device,
        /,
        *,
        network: Annotated[str, "the network that translates"] = "generator",
        entry: Annotated[str, "what is translated: 'samples', or another entry of the data"] = "samples",
    ) -> None:
        if network not in networks:
            raise InputError(f"no network is named '{network}'; networks are {', '.join(networks)}")
        self.network = networks[network]
        self.device = device
        self.entry = entry

    @torch.no_grad()
    def __call__(self, request: SampleRequest) -> Tensor:
        """Return `(count, ...)` float32, at most one for each input.

        Raises:
            InputError: the request has no inputs, or none with this entry, or asks for truncation or a class.
        """
        if request.inputs is None:
            raise InputError("a translation needs inputs: ganfw sample RUN --input FILE")
        if request.truncation is not None:
            raise InputError("a translation has no noise to truncate; leave --truncation out")
        if request.labels is not None:
            raise InputError("a translation has no class to choose; leave --class out")
        inputs = request.inputs
        entries = {"samples": inputs.samples, **inputs.more}
        if self.entry not in entries:
            raise InputError(f"the inputs have no entry '{self.entry}'; they have {', '.join(entries)}")
        source = entries[self.entry][: request.count].to(self.device)
        with evaluation_mode(self.network):
            chunks = [call_network(self.network, chunk).float().cpu() for chunk in source.split(request.batch_size)]
        return torch.cat(chunks)
