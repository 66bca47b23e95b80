"""What the metrics and values that ganfw knows are called on a page, and what they say."""

from collections.abc import Mapping

METRICS: Mapping[str, tuple[str, str]] = {
    "frechet_distance": ("Fréchet distance", "how far the features' mean and covariance are from those of real images"),
    "frechet_distance_infinite": ("Fréchet distance, infinite samples", "the same, extrapolated to ever more samples"),
    "kernel_distance": ("Kernel distance", "unbiased MMD² of the features with a cubic kernel"),
    "precision": ("Precision", "the share of samples that lie among real images"),
    "recall": ("Recall", "the share of real images that lie among samples"),
    "density": ("Density", "how densely samples lie where real images do"),
    "coverage": ("Coverage", "the share of real images that have a sample near"),
    "classifier_score": ("Classifier score", "sure about each sample, of many classes over all of them"),
    "class_kl": ("Class divergence", "KL divergence of the samples' classes from the real ones"),
    "classes_found": ("Classes found", "how many classes the samples are of"),
    "class_histogram": ("Classes of the samples", "the share of samples that the classifier puts into each class"),
    "nearest_neighbour_distance": ("Nearest-neighbour distance", "the median distance to the nearest training image"),
    "nearest_neighbour_ratio": ("Nearest-neighbour ratio", "far below 1, samples are copies of training images"),
    "diversity": ("Diversity", "how different samples are from each other: 1 as real ones, 0 all equal"),
    "modes_found": ("Modes found", "modes with at least one sample of high quality"),
    "high_quality_share": ("High-quality share", "samples within three deviations of a mode"),
    "mode_kl": ("Mode divergence", "KL divergence of the samples' modes from the real ones"),
    "stacked_modes_found": ("Stacked modes found", "of the 1,000 triples of digits"),
    "stacked_mode_kl": ("Stacked mode divergence", "KL divergence of the triples from the real ones"),
}

TOGETHER = (("precision", "recall"), ("density", "coverage"))
"""Metrics that are drawn in one chart: the first says fidelity, the second diversity."""

SHARES = frozenset({"precision", "recall", "coverage", "high_quality_share"})
"""Metrics that lie between 0 and 1."""

ARROWS = {"lower": "↓", "higher": "↑", "": ""}

WARNINGS = {
    "collapse": "samples are nearly the same, or of a few kinds",
    "dead_discriminator": "the discriminator's loss is nearly 0: the generator learns next to nothing from it",
}


def metric_name(name: str) -> str:
    """Return what a metric is called; one that is not known keeps its own name."""
    return METRICS.get(name, (name, ""))[0]


def metric_help(name: str) -> str:
    """Return what a metric says; nothing for one that is not known."""
    return METRICS.get(name, (name, ""))[1]
