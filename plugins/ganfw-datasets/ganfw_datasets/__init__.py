"""Data for ganfw: torchvision's FashionMNIST, KMNIST, EMNIST and CIFAR-10, images of your own, series, and a table."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer this package's parts; their modules are imported when a recipe uses them."""

    def part(kind: str, name: str, target: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind=kind, name=name, target=f"ganfw_datasets{target}", help=help)

    yield part(
        "data", "fashion_mnist", ".collections:fashion_mnist", "70,000 grey pictures of clothes in 10 classes, 28 x 28"
    )
    yield part("data", "kmnist", ".collections:kmnist", "70,000 cursive Japanese characters in 10 classes, 28 x 28")
    yield part("data", "emnist", ".collections:emnist", "handwritten letters and digits in up to 62 classes, 28 x 28")
    yield part("data", "cifar10", ".collections:cifar10", "60,000 colour photographs in 10 classes, 32 x 32")
    yield part("data", "image_folder", ".image_folder:image_folder", "your own images, cropped or padded to one size")
    yield part("data", "sines", ".sines:sines", "series of 64 values: sines of random frequency, amplitude and phase")
    yield part(
        "data", "two_columns", ".table:two_columns", "a table of two correlated columns, in three groups of rows"
    )

    yield part("metric", "sine_fit", ".sines:SineFit", "how near series are to sines, and to which")
    yield part("metric", "columns", ".table:Columns", "distances of the columns of tables")

    yield part("recipe", "fashion_mlp", ".recipes:fashion_mlp.toml", "mnist_mlp on FashionMNIST: two MLPs, 40 epochs")
    yield part(
        "recipe", "images_mlp", ".recipes:images_mlp.toml", "a few hundred images of your own: two MLPs, 4,000 steps"
    )
    yield part("recipe", "sines_mlp", ".recipes:sines_mlp.toml", "a family of sines: two MLPs on series of 64 values")
    yield part("recipe", "two_columns_mlp", ".recipes:two_columns_mlp.toml", "a table of two columns: two MLPs")
