"""The `[run]` table of a recipe: how long, how large and where, whatever the parts are."""

from typing import Annotated, Literal

from annotated_types import Ge
from attrs import frozen


@frozen(kw_only=True)
class RunSettings:
    """Settings of a run that belong to no part; the signature is the schema of the `[run]` table.

    Attributes:
        seed: every random number of the run follows from it.
        epochs: how often to go through the data.
        batch_size: samples in a batch; the last batch of an epoch may be shorter and is kept.
        max_steps: stop after so many steps even if epochs are left; None for no limit.
        device: `"auto"` (CUDA, then MPS, then CPU), or a torch device such as `"cpu"` or `"cuda:1"`.
        precision: `"fp32"`, or `"bf16"`: training passes in bfloat16, weights, losses and samples in float32.
        compile: compile each loss together with its gradients, with torch.compile, where there is a compiler;
            `"auto"`: where the run is long enough to win back the time that compiling takes.
        accumulate: parts that each batch is computed in, one after the other: less memory, the same gradient for
            networks that treat the samples of a batch alone.
        sync_batch_norm: in several processes, let BatchNorm in training mode see the whole batch; if not, each
            process normalises its own rows.
        log_every_steps: steps in a window; losses are read from the device once a window.
        workers: processes that load data which is not in memory; None to choose by the number of cores.
    """

    seed: Annotated[int, Ge(0), "every random number of the run follows from it"] = 0
    epochs: Annotated[int, Ge(1), "how often to go through the data"] = 1
    batch_size: Annotated[int, Ge(1), "samples in a batch; the last of an epoch may be shorter"] = 128
    max_steps: Annotated[Annotated[int, Ge(1)] | None, "stop after so many steps even if epochs are left"] = None
    device: Annotated[str, "'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'"] = "auto"
    precision: Annotated[Literal["fp32", "bf16"], "number format of the training passes"] = "fp32"
    compile: Annotated[bool | Literal["auto"], "compile losses and their gradients with torch.compile"] = "auto"
    accumulate: Annotated[int, Ge(1), "parts of a batch whose gradients are added up before a step"] = 1
    sync_batch_norm: Annotated[bool, "under torchrun, BatchNorm over the rows of all processes"] = True
    log_every_steps: Annotated[int, Ge(1), "steps between two lines of metrics"] = 500
    workers: Annotated[Annotated[int, Ge(0)] | None, "processes that load data which is not in memory"] = None
