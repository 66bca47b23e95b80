"""A launcher for ganfw that runs the trials of a sweep on a Ray cluster."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's parts; their modules are imported when a sweep uses them."""
    yield Part(
        kind="launcher",
        name="ray",
        target="ganfw_ray.launcher:Ray",
        help="processes on the nodes of a Ray cluster",
    )
