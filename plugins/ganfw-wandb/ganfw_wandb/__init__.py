"""A callback for ganfw that records a run in Weights & Biases."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's part; its module is imported when a recipe uses it."""
    yield Part(
        kind="callback",
        name="wandb",
        target="ganfw_wandb.callback:WandB",
        help="settings, metrics, evaluations and grids of samples in Weights & Biases",
    )
