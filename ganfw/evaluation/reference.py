"""References: features of real samples in a file, so that an evaluation needs no data set.

The file is an .npz archive of NumPy arrays. Its `mu` and `sigma` are what other programs write and read for FID; what
`ganfw reference` adds is for the other metrics, and says what the file is of.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from attrs import evolve, field, frozen
from torch import Tensor

from ganfw.data import Data, form
from ganfw.engine.random_streams import own_randomness
from ganfw.errors import DataError
from ganfw.evaluation.arrays import read_arrays, write_arrays
from ganfw.evaluation.features import choose, embed, embed_real, gather
from ganfw.evaluation.inputs import Embedding, Moments, SampleSet
from ganfw.files import expanded, opened
from ganfw.plugins.signature import show

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
"""The version of the description in a file."""
KEPT = 10_000
"""Of how many samples the features are kept, unless another number is asked for."""
MAX_FILE_BYTES = 16 << 30
"""A file larger than this (16 GiB) is refused; it may have further arrays, which are not read."""
TOLERANCE = 1e-5
"""How far a covariance may be from a symmetric one without negative eigenvalues, in shares of its largest value."""
_KINDS = {"mu": "f", "sigma": "f", "features": "f", "probabilities": "f", "labels": "i", "ganfw": "U"}
"""The arrays that are read, and the kind of their values: floating point numbers, integers, text."""


@frozen(eq=False)
class Reference:
    """Features of real samples, without the samples.

    Attributes:
        moments: the mean and the covariance of the features of all samples.
        features: `(n, d)` float64 of some of the samples; `(0, d)` where only the moments are known.
        probabilities: `(n, num_classes)` float64 of the same samples, or None.
        labels: `(m,)` int64 of all samples, or None.
        embedding: the identity of the embedding that made the features; None where that is not known.
        sample_shape: the shape of a sample; None where that is not known.
        about: what `eval/*.json` says of the reference: `data`, `split`, `count` and `sha256`, and of a file `file`
            and `file_sha256`.
    """

    moments: Moments = field(repr=False)
    features: Tensor = field(repr=form)
    probabilities: Tensor | None = field(default=None, repr=form)
    labels: Tensor | None = field(default=None, repr=form)
    embedding: str | None = None
    sample_shape: tuple[int, ...] | None = None
    about: Mapping[str, Any] = field(factory=lambda: {"data": None, "split": None, "count": None, "sha256": None})

    @classmethod
    def of(
        cls,
        data: Data,
        embedding: Embedding,
        *,
        count: int | None = None,
        kept: int = KEPT,
        data_name: str = "",
        split: str | None = None,
        device: torch.device | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> "Reference":
        """Embed real samples.

        Args:
            data: where the samples are from.
            embedding: makes the features.
            count: how many samples, chosen at random but always the same; None for all.
            kept: of how many of them the features are kept.
            data_name: what results call the data.
            split: what they call its part.
            device: where the embedding computes.
            say: called with a line of text before slow work.

        Raises:
            DataError: samples cannot be gathered, or there are fewer than two.
            PartError: the embedding does not keep to its contract.
        """
        real = gather(data, len(cast("Sized", data)) if count is None else count)
        if len(real) < 2:
            raise DataError(f"a covariance needs at least 2 samples, not {len(real)}")
        with own_randomness(0, device or "cpu"):
            made = embed_real(real, embedding, say)
        rows = choose(len(real), kept)
        classes = real.labels if real.labels is not None and real.labels.dtype == torch.int64 else None
        return cls(
            moments=Moments.of(made.features),
            features=made.features[rows],
            probabilities=None if made.probabilities is None else made.probabilities[rows],
            labels=classes if classes is not None and classes.ndim == 1 else None,
            embedding=embedding.identity,
            sample_shape=real.sample_shape,
            about={"data": data_name, "split": split, "count": len(real), "sha256": real.sha256()},
        )

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Read one from its file: of `ganfw reference`, or of another program, with only `mu` and `sigma`.

        A file of a stranger can do no harm: nothing is unpickled, and sizes are checked first.

        Raises:
            RunError: the file cannot be read, or is larger than 16 GiB.
            DataError: it is not such a file, or what it holds cannot be the moments of features.
        """
        with opened(expanded(path).resolve(), MAX_FILE_BYTES) as (file, _):
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            try:
                found = _of_arrays(read_arrays(file, _KINDS))
            except Exception as error:  # zipfile and NumPy refuse in many ways what a file may hold
                reason = " ".join(str(error).split())[:200]
                raise DataError(f"{path}: not a reference; make one with ganfw reference: {reason}") from None
        return evolve(found, about={**found.about, "file": path.name, "file_sha256": digest})

    @property
    def word(self) -> str:
        """The word for it in the names of files with results: `"reference-1a2b3c4d"`."""
        return f"reference-{self.about['file_sha256'][:8]}" if "file_sha256" in self.about else "reference"

    def to_bytes(self) -> bytes:
        """Write it as an .npz file: the same bytes for the same reference."""
        description = {
            "format": FORMAT,
            **{name: self.about[name] for name in ("data", "split", "count", "sha256")},
            "embedding": self.embedding,
            "sample_shape": self.sample_shape,
        }
        arrays = {
            "mu": self.moments.mean.numpy(),
            "sigma": self.moments.covariance.numpy(),
            "features": self.features.float().numpy(),  # as embeddings give them
            "ganfw": np.array(json.dumps(description)),
        }
        if self.probabilities is not None:
            arrays["probabilities"] = self.probabilities.float().numpy()
        if self.labels is not None:
            arrays["labels"] = self.labels.numpy()
        return write_arrays(arrays)

    def sample_set(self, embedding: Embedding, sample_shape: tuple[int, ...]) -> SampleSet:
        """Return what samples of a shape are compared with: features and moments, and no samples.

        Raises:
            DataError: the features are those of another embedding, or of samples of another shape.
        """
        called = self.about.get("file", "the reference")
        if self.embedding not in (None, embedding.identity):
            raise DataError(
                f"{called}: its features are of {show(self.embedding)}, not of {show(embedding.identity)}; make one "
                "of these with ganfw reference"
            )
        if self.sample_shape not in (None, sample_shape):
            raise DataError(
                f"{called}: it is of samples {self.sample_shape}, not {sample_shape}; make one of these with "
                "ganfw reference"
            )
        dtype = torch.uint8 if len(sample_shape) == 3 else torch.float32
        few = torch.zeros(2, *sample_shape, dtype=dtype)
        dimensions, own = embed(few, embedding).features.shape[1], len(self.moments.mean)
        if own != dimensions:
            raise DataError(
                f"{called}: its features have {own} dimensions, and those of {show(embedding.identity)} have "
                f"{dimensions}; choose the embedding that made them, or make one of these with ganfw reference"
            )
        nothing = torch.empty(0, *sample_shape, dtype=dtype)
        return SampleSet(nothing, self.features, self.probabilities, moments=self.moments)


def _of_arrays(arrays: "Mapping[str, NDArray[Any]]") -> Reference:
    """Return what the arrays of a file say.

    Raises:
        ValueError: it is not possible.
    """
    for name in ("mu", "sigma"):
        if name not in arrays:
            raise ValueError(f"it has no {name}")
    tensors = {
        name: torch.from_numpy(array.astype(np.int64 if name == "labels" else np.float64))
        for name, array in arrays.items()
        if name != "ganfw"
    }
    mean, covariance = tensors["mu"], tensors["sigma"]
    features = tensors.get("features", mean.new_empty(0, *mean.shape))
    probabilities, labels = tensors.get("probabilities"), tensors.get("labels")
    _require_moments(mean, covariance)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"not all numbers of {name} are finite")
    if features.ndim != 2 or features.shape[1] != len(mean):
        raise ValueError(f"features is {tuple(features.shape)}, and must be (n, {len(mean)})")
    if probabilities is not None and (probabilities.ndim != 2 or len(probabilities) != len(features)):
        raise ValueError(f"probabilities is {tuple(probabilities.shape)}, and must be ({len(features)}, classes)")
    if labels is not None and labels.ndim != 1:
        raise ValueError(f"labels is {tuple(labels.shape)}, and must be (n,)")
    found = Reference(Moments(mean, covariance), features, probabilities, labels)
    return evolve(found, **_description(arrays["ganfw"])) if "ganfw" in arrays else found


def _require_moments(mean: Tensor, covariance: Tensor) -> None:
    """Make sure that these are a mean and a covariance."""
    shapes = f"mu is {tuple(mean.shape)} and sigma is {tuple(covariance.shape)}"
    if covariance.ndim == 1 and mean.shape == (len(covariance),) * 2:
        raise ValueError(f"{shapes}: they are swapped")
    if mean.ndim != 1 or covariance.shape != (len(mean),) * 2 or not len(mean):
        raise ValueError(f"{shapes}; they must be (d,) and (d, d)")
    if not covariance.isfinite().all():
        raise ValueError("not all numbers of sigma are finite")
    allowed = TOLERANCE * float(covariance.abs().max())
    if float((covariance - covariance.T).abs().max()) > allowed:
        raise ValueError("sigma is not symmetric")
    if (least := float(torch.linalg.eigvalsh(covariance)[0])) < -allowed:
        raise ValueError(f"sigma has the eigenvalue {least:.4g}, so it is not a covariance")


def _description(array: "NDArray[Any]") -> dict[str, Any]:
    """Return what a file of `ganfw reference` says of itself."""
    match json.loads(array.item()):
        case {
            "format": 1,
            "data": str(data),
            "split": str() | None as split,
            "count": int(count),
            "sha256": str(digest),
            "embedding": str(embedding),
            "sample_shape": list(shape),
        } if (
            f"{data}{split}{embedding}".isprintable()
            and re.fullmatch("[0-9a-f]{64}", digest)
            and all(type(side) is int and side > 0 for side in shape)
        ):
            about = {"data": data, "split": split, "count": count, "sha256": digest}
            return {"about": about, "embedding": embedding, "sample_shape": tuple(shape)}
    raise ValueError(f"its description is not that of format {FORMAT}")
