"""Training in several processes, as torchrun starts them: which one this is, and what it shares with the others.

Every process builds the same networks and makes the same updates: each sees its rows of the batch, and gradients
are averaged over all rows. The first process is the main one: callbacks run in it only, and the others follow its
commands.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import IntEnum

import torch
import torch.distributed
from attrs import define, field
from torch import Tensor

from ganfw.errors import InputError, RunError

_TIMEOUT = timedelta(minutes=30)
"""How long the main process's callbacks may take: writing a checkpoint, evaluating."""


class Command(IntEnum):
    """What the main process sends to the others after it has called its callbacks."""

    CONTINUE = 0
    STOP = 1
    GATHER = 2
    """First give your share of the statistics: a checkpoint is being saved."""


@define(eq=False)
class ProcessGroup:
    """The processes that train one experiment; by default only this one.

    Attributes:
        rank: which of them this is, from 0; 0 is the main one.
        size: how many there are.
        total: rows of the current batch.
        rows: which of them are this process's.
    """

    rank: int = 0
    size: int = 1
    total: int = field(default=1, init=False)
    rows: slice = field(default=slice(0, 1), init=False)

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which calls callbacks and writes files."""
        return self.rank == 0

    @property
    def count(self) -> int:
        """How many rows of the batch are this process's."""
        start, stop, _ = self.rows.indices(self.total)
        return stop - start

    @property
    def weight(self) -> float:
        """The share of this process's rows in the batch."""
        return self.count / self.total

    def require_shareable(self, device: torch.device) -> None:
        """Make sure that several processes can train on this device.

        Raises:
            InputError: they cannot.
        """
        if self.size > 1 and (device.type not in ("cpu", "cuda") or device.index is not None):
            raise InputError(f"device '{device}' cannot be shared by several processes; use cpu, or cuda for one each")

    def rows_of(self, total: int) -> slice:
        """Return which rows of a batch of `total` are this process's: as equal shares as can be, in order."""
        return slice(total * self.rank // self.size, total * (self.rank + 1) // self.size)

    def parts_of(self, total: int, accumulate: int) -> int:
        """Return in how many parts a batch of `total` rows is computed: none is without a row in any process."""
        return max(1, min(accumulate, total // self.size))

    def begin_batch(self, total: int) -> None:
        """Note that the batch of `total` rows begins."""
        self.total, self.rows = total, self.rows_of(total)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one dtype by their sums over all processes, in one exchange."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _together():
            torch.distributed.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(t) for part, t in zip(parts, tensors, strict=True)])

    def gather(self, value: Tensor) -> Tensor:
        """Return `(size, *shape)`: the value of each process."""
        if self.size == 1:
            return value.unsqueeze(0)
        values = [torch.empty_like(value) for _ in range(self.size)]
        with _together():
            torch.distributed.all_gather(values, value.contiguous())
        return torch.stack(values)

    def broadcast(self, command: Command | None = None) -> Command:
        """Send a command from the main process to the others, or wait for one and return it.

        Commands go through the host: no device is waited for.
        """
        if self.size == 1:
            return Command.CONTINUE if command is None else command
        sent = torch.tensor(int(command or 0))
        with _together():
            torch.distributed.broadcast(sent, 0)
        return Command(int(sent))


@contextlib.contextmanager
def join_processes() -> Iterator[ProcessGroup]:
    """Within the block, be one of the processes that torchrun started, or the only one if it did not start this one.

    Tensors on CPUs are exchanged through gloo, those on GPUs through NCCL; of a machine's GPUs, each process takes
    that of its local rank.

    Raises:
        RunError: the processes cannot find each other.
    """
    given = os.environ.get("WORLD_SIZE") or "1"
    try:
        size = int(given)
    except ValueError:
        raise RunError(f"WORLD_SIZE = '{given}' in the environment is not a number of processes; unset it") from None
    if size == 1:
        yield ProcessGroup()
        return
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    try:
        torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if has_cuda else "gloo", timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise RunError(
            f"the processes of this run cannot find each other; check MASTER_ADDR and MASTER_PORT: {error}"
        ) from error
    try:
        yield ProcessGroup(torch.distributed.get_rank(), size)
    finally:
        torch.distributed.destroy_process_group()
        # gloo's threads may still be letting go of the last tensors, for which they need the interpreter; one that
        # asks for it while Python ends would abort the process.
        time.sleep(0.2)


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Turn the failure of an exchange into one clear message."""
    try:
        yield
    except RuntimeError as error:
        raise RunError(
            "another process of this run has ended; this one cannot continue without it; see the error of that one"
        ) from error
