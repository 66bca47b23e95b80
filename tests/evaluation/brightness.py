"""A script with a metric that anyone can check by hand."""

from collections.abc import Iterator

from ganfw import MetricInputs, MetricValue, Part, hookimpl


class Brightness:
    """The mean of all features, less that of the reference."""

    def __call__(self, inputs: MetricInputs) -> dict[str, MetricValue]:
        difference = float(inputs.samples.features.mean() - inputs.reference.features.mean())
        return {"brightness": MetricValue(difference), "brightness_error": MetricValue(abs(difference), "lower")}


@hookimpl
def ganfw_parts() -> Iterator[Part]:
    yield Part(kind="metric", name="brightness", target="brightness:Brightness", help="by the mean alone")
