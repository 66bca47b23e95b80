"""Data for ganfw: torchvision's FashionMNIST, KMNIST, EMNIST and CIFAR-10, and folders of your own images."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Offer this package's parts; their modules are imported when a recipe uses them."""

    def data(name: str, module: str, help: str) -> Part:  # noqa: A002 - the field's name
        return Part(kind="data", name=name, target=f"ganfw_datasets.{module}:{name}", help=help)

    yield data("fashion_mnist", "collections", "70,000 grey pictures of clothes in 10 classes, 28 x 28")
    yield data("kmnist", "collections", "70,000 cursive Japanese characters in 10 classes, 28 x 28")
    yield data("emnist", "collections", "handwritten letters and digits in up to 62 classes, 28 x 28")
    yield data("cifar10", "collections", "60,000 colour photographs in 10 classes, 32 x 32")
    yield data("image_folder", "image_folder", "your own images, cropped or padded to one size")
    yield Part(
        kind="recipe",
        name="fashion_mlp",
        target="ganfw_datasets:fashion_mlp.toml",
        help="mnist_mlp on FashionMNIST: two MLPs, 40 epochs",
    )
    yield Part(
        kind="recipe",
        name="images_mlp",
        target="ganfw_datasets:images_mlp.toml",
        help="a few hundred images of your own: two MLPs, 4,000 steps",
    )
