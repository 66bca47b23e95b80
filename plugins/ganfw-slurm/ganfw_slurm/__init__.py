"""A launcher for ganfw that runs the trials of a sweep as jobs of Slurm."""

from collections.abc import Iterator

from ganfw import Part, hookimpl


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    """Return this package's part; its module is imported when a sweep uses it."""
    yield Part(
        kind="launcher",
        name="slurm",
        target="ganfw_slurm.launcher:Slurm",
        help="trials as jobs of Slurm, through submitit",
    )
