"""An example of a ganfw plugin: one loss, one noise sampler, and a recipe that uses both."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a recipe uses them."""
    yield Part(
        kind="loss",
        name="squared_hellinger",
        target="ganfw_example.squared_hellinger:SquaredHellinger",
        help="f-GAN with the squared Hellinger distance",
    )
    yield Part(
        kind="noise",
        name="hypersphere",
        target="ganfw_example.hypersphere:Hypersphere",
        help="uniform on the hypersphere of radius sqrt(z_dim)",
    )
    yield Part(
        kind="recipe",
        name="mnist_mlp_hellinger",
        target="ganfw_example:mnist_mlp_hellinger.toml",
        help="mnist_mlp with the squared Hellinger loss and noise on a hypersphere",
    )
