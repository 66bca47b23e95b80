"""Build the evaluation of a recipe: real samples, the embedding, the metrics."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from ganfw.data import Data, TensorData
from ganfw.engine.device import choose_device
from ganfw.errors import DataError, InputError
from ganfw.evaluation.evaluator import MAX_TRAINING, Evaluator
from ganfw.evaluation.features import gather, select
from ganfw.evaluation.reference import KEPT, Reference
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.training.batches import Batches
from ganfw.training.builder import Builder

TABLES = ("data", "embedding", "metrics")
"""The tables of a recipe that an evaluation needs."""
SPLIT, HELD_OUT = "split", "test"
"""The key of a data part, and its choice, that give samples to compare with."""

FEW = 64
"""Samples that say which results metrics give."""


def open_evaluator(
    resolved: ResolvedRecipe,
    *,
    device: str = "auto",
    training: Data | None = None,
    held_out: bool = True,
    reference: Reference | None = None,
    known: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluator:
    """Build the evaluator of a recipe from its `[data]`, `[embedding]` and `[metrics.…]`.

    If the data part has a key `split` that may be `"test"`, samples are compared with that part of the data. If it has
    no such key, or the recipe trains on that part, samples are compared with the training data itself.

    Args:
        resolved: a recipe; these tables are enough.
        device: where the embedding computes.
        training: the recipe's data, if it is built already.
        held_out: whether to compare with the held-out part of the data, where there is one, or with the training data.
        reference: what to compare with instead; no data is embedded then.
        known: context arguments that are known without the data, `checkpoint.context()`; with a reference, the data is
            needed only if they are not given.
        say: called with a line of text before slow work.

    Raises:
        InputError: the recipe has no embedding or no metric, or a part refuses a parameter.
        PartError: a part cannot be built.
        DataError: data is missing or damaged, or the reference is of another embedding.
    """
    _require_embedding(resolved)
    if not resolved.names_in("metrics"):
        raise InputError("the recipe has no [metrics.NAME] to evaluate with; see: ganfw parts metric")
    builder = _builder(resolved, device, training, None if reference is None else known)
    if reference is not None:
        return Evaluator.of_reference(
            reference,
            builder.part("embedding"),
            builder.parts_in("metrics"),
            sample_shape=builder.value("sample_shape", "embedding"),
            embedding_name=resolved.parts["embedding"].part.name,
            device=builder.device,
            say=say,
        )
    return Evaluator.of(
        builder.batches.data,
        builder.build("data", **{SPLIT: HELD_OUT}) if held_out and _has_held_out(resolved) else None,
        builder.part("embedding"),
        builder.parts_in("metrics"),
        data_name=resolved.parts["data"].part.name,
        split=HELD_OUT,
        embedding_name=resolved.parts["embedding"].part.name,
        device=builder.device,
        say=say,
    )


def build_reference(
    resolved: ResolvedRecipe,
    *,
    device: str = "auto",
    count: int | None = None,
    kept: int = KEPT,
    say: Callable[[str], None] = lambda line: None,
) -> Reference:
    """Embed the samples of a recipe's `[data]` by its `[embedding]`, to keep what evaluations compare with.

    Args:
        resolved: a recipe; these tables are enough.
        device: where the embedding computes.
        count: how many samples, chosen at random but always the same; None for all.
        kept: of how many of them the features are kept.
        say: called with a line of text before slow work.

    Raises:
        InputError: the recipe has no embedding, or a part refuses a parameter.
        PartError: a part cannot be built.
        DataError: data is missing or damaged.
    """
    _require_embedding(resolved)
    builder = _builder(resolved, device)
    split = resolved.parameters("data").get(SPLIT)
    return Reference.of(
        builder.batches.data,
        builder.part("embedding"),
        count=count,
        kept=kept,
        data_name=resolved.parts["data"].part.name,
        split=split if isinstance(split, str) else None,
        device=builder.device,
        say=say,
    )


def result_names(resolved: ResolvedRecipe) -> list[str]:
    """Return the names of the results that a recipe's metrics give, which they say of a few real samples.

    Raises:
        InputError: the recipe has no embedding or no metric, or a part refuses a parameter.
        PartError: a part cannot be built, or does not keep to its contract.
        DataError: data is missing or damaged.
    """
    few = gather(Builder(resolved, choose_device("cpu")).build("data"), FEW)
    evaluator = open_evaluator(resolved, device="cpu", training=few, held_out=False)
    return [*evaluator.real_data(FEW // 2, resolved.settings.seed)]


def open_data(resolved: ResolvedRecipe, *, held_out: bool = False) -> Data:
    """Build a recipe's data, or the part of it that is held out, where there is one.

    Args:
        resolved: a recipe; its `[data]` is enough.
        held_out: whether to build that part; the training data if there is none.

    Raises:
        InputError: the data part refuses a parameter.
        DataError: data is missing or damaged.
    """
    changed = {SPLIT: HELD_OUT} if held_out and _has_held_out(resolved) else {}
    data: Data = Builder(resolved, choose_device("cpu")).build("data", **changed)
    return data


def open_labelled(resolved: ResolvedRecipe) -> tuple[TensorData, TensorData]:
    """Build a recipe's data for a classifier: samples to learn from, and samples to test on.

    The latter are the held-out part of the data, or else every tenth sample, which is left out of the former.

    Raises:
        DataError: data is missing or damaged, or has no labels.
    """
    builder = Builder(resolved, choose_device("cpu"))

    def build(**changed: Any) -> TensorData:
        whole = gather(builder.build("data", **changed), MAX_TRAINING)
        if whole.labels is None or whole.num_classes is None:
            raise DataError(f"{resolved.parts['data']} has no labels to learn from; choose data with labels")
        return whole

    training = build()
    if _has_held_out(resolved):
        return training, build(**{SPLIT: HELD_OUT})
    tenth = torch.arange(len(training)) % 10 == 9
    return select(training, ~tenth), select(training, tenth)


def _builder(
    resolved: ResolvedRecipe, device: str, training: Data | None = None, known: Mapping[str, Any] | None = None
) -> Builder:
    """Return a builder whose data is on the CPU, where it is gathered; no data, where what is asked of it is known."""
    builder = Builder(resolved, choose_device(device), known=known)
    if known is None:
        data = builder.build("data") if training is None else training
        builder.batches = Batches(data, 1, resolved.settings.seed, choose_device("cpu"))
    return builder


def _require_embedding(resolved: ResolvedRecipe) -> None:
    if "embedding" not in resolved.parts:
        raise InputError("the recipe has no [embedding] to evaluate with; choose one: --set embedding.use=pixels")


def _has_held_out(resolved: ResolvedRecipe) -> bool:
    """Whether the data part names `"test"` among the choices of its key `split`, and the recipe takes another."""
    key = resolved.parts["data"].signature().keys.get(SPLIT)
    named = key is not None and not key.complaint(HELD_OUT) and bool(key.complaint("none of its choices"))
    return named and resolved.parameters("data").get(SPLIT) != HELD_OUT
