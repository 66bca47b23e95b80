"""Callbacks that break their contract."""

import torch

from ganfw import Callback
from ganfw.testing import callbacks


class WaitingForEpochs(Callback):
    def on_epoch(self, training):
        pass


class NotInheriting:
    def on_start(self, training):
        pass


class Clipping(Callback):
    @torch.no_grad()
    def on_step(self, training):
        for weight in training.experiment.networks["discriminator"].parameters():
            weight.clamp_(-0.01, 0.01)


EVENTS = "on_end, on_log, on_start, on_step, on_step_end"
BROKEN = (
    (callbacks.handles_events_that_exist, WaitingForEpochs, f"on_epoch is never called; events are {EVENTS}"),
    (
        callbacks.handles_events_that_exist,
        NotInheriting,
        "it has no on_end, on_log, on_step, on_step_end: inherit ganfw.Callback",
    ),
    (
        callbacks.does_not_change_training,
        Clipping,
        "with it the generator ends with other weights: a callback reports, and changes nothing",
    ),
)
