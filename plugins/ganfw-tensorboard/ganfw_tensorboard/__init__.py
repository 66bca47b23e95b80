"""A callback for ganfw that shows a run in TensorBoard."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""
    yield Part(
        kind="callback",
        name="tensorboard",
        target="ganfw_tensorboard.callback:TensorBoard",
        help="scalars, grids of samples and histograms for TensorBoard",
    )
    yield Part(
        kind="recipe",
        name="mnist_mlp_tensorboard",
        target="ganfw_tensorboard:mnist_mlp_tensorboard.toml",
        help="mnist_mlp, shown in TensorBoard, two epochs",
    )
