"""The `[run]` table of a recipe: how long, how large and where to train any parts."""

from typing import Annotated, Literal

from annotated_types import Ge
from attrs import frozen


@frozen(kw_only=True)
class RunSettings:
    """Settings of a run that belong to no part; the signature is the schema of the `[run]` table."""

    seed: Annotated[int, Ge(0), "every random number of the run follows from it"] = 0
    epochs: Annotated[int, Ge(1), "how often to go through the data"] = 1
    batch_size: Annotated[int, Ge(1), "samples in a batch; the last of an epoch may be shorter and is kept"] = 128
    max_steps: Annotated[Annotated[int, Ge(1)] | None, "stop after this many steps even if epochs are left"] = None
    device: Annotated[str, "'auto' (CUDA, then MPS, then CPU), or a torch device: 'cpu', 'cuda:1'"] = "auto"
    precision: Annotated[Literal["fp32", "bf16"], "of training passes; weights and losses are float32"] = "fp32"
    tf32: Annotated[bool, "on CUDA, factors of float32 products are rounded to TF32 in training passes"] = False
    compile: Annotated[bool | Literal["auto"], "losses with their gradients; 'auto': in long runs"] = "auto"
    accumulate: Annotated[int, Ge(1), "parts of a batch, computed one after the other: less memory"] = 1
    sync_batch_norm: Annotated[bool, "in several processes, BatchNorm sees the rows of all of them"] = True
    log_every_steps: Annotated[int, Ge(1), "steps in a window; losses are read from the device once a window"] = 500
    workers: Annotated[Annotated[int, Ge(0)] | None, "processes that load data which is not in memory"] = None
