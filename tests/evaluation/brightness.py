"""A script with a metric that anyone can check by hand."""

from collections.abc import Iterator

from ganfw import Evidence, Measured, Part, hookimpl


class Brightness:
    """The mean of all features, less that of the reference."""

    def __call__(self, evidence: Evidence) -> dict[str, Measured]:
        difference = float(evidence.samples.features.mean() - evidence.reference.features.mean())
        return {"brightness": Measured(difference), "brightness_error": Measured(abs(difference), "lower")}


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="metric", name="brightness", target="brightness:Brightness", help="by the mean alone")
