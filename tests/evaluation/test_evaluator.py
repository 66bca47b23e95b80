"""The evaluator: what is compared with what, the scores of real data, and what an evaluation must not do."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import attrs
import pytest
import torch
from torch import Tensor, nn

import ganfw
from ganfw import (
    Evaluator,
    GanfwError,
    MetricInputs,
    MetricValue,
    Recipe,
    Registry,
    ResolvedRecipe,
    SampleSet,
    SampleSource,
    TensorData,
)
from ganfw.builtin.mnist import mnist
from ganfw.builtin.noise import Normal, Uniform
from ganfw.engine.random_streams import global_state
from ganfw.evaluation.evaluator import as_stored, evaluate_truncations
from ganfw.evaluation.record import Subject, write_evaluation


def of(generator: nn.Module, noise: ganfw.Noise) -> SampleSource:
    """Return what makes samples of a generator."""
    return SampleSource({"generator": generator}, noise)


class Plain:
    """The values of samples, flattened."""

    identity = "plain"

    def __call__(self, samples: Tensor) -> tuple[Tensor, None]:
        return samples.flatten(1).to(torch.float32), None


class Seen:
    """Keeps what it is shown."""

    def __init__(self, **results: MetricValue) -> None:
        self.shown: list[MetricInputs] = []
        self.results = results or {"seen": MetricValue(1.0, "higher")}

    def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
        self.shown.append(inputs)
        return self.results


class Points(nn.Module):
    """Gives its noise back."""

    def forward(self, z: Tensor) -> Tensor:
        return z


class Black(nn.Module):
    """Makes black images."""

    def forward(self, z: Tensor) -> Tensor:
        return z.new_zeros(len(z), 1, 28, 28)


class TwoClasses(nn.Module):
    """Gives its noise back, moved by six in class 1."""

    num_classes = 2

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return z + 6 * labels[:, None]


@pytest.fixture
def resolved(judged: Recipe, judging_registry: Registry) -> ResolvedRecipe:
    return ganfw.resolve(judged, judging_registry)


@pytest.fixture
def evaluator(resolved: ResolvedRecipe) -> Evaluator:
    return ganfw.open_evaluator(resolved, device="cpu")


def points(count: int, seed: int = 0) -> TensorData:
    return TensorData(torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)))


def unequal(count: int, seed: int = 0) -> TensorData:
    """Return what `TwoClasses` gives, nine times as often in class 0 as in class 1."""
    labels = (torch.arange(count) % 10 == 9).long()
    return TensorData(TwoClasses()(points(count, seed).samples, labels), labels, 2)


def noise(z_dim: int = 2) -> Normal:
    return Normal(torch.device("cpu"), z_dim=z_dim)


def refusal(*arguments: object, **keywords: object) -> str:
    with pytest.raises(GanfwError) as caught:
        ganfw.evaluate(*arguments, **keywords)  # type: ignore[arg-type]
    return str(caught.value)


def test_metrics_are_given_the_samples_of_sample_and_all_real_ones(evaluator: Evaluator) -> None:
    seen = Seen()
    evaluator = attrs.evolve(evaluator, metrics={"seen": seen})
    network = nn.Sequential(nn.Linear(4, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    found = ganfw.evaluate(of(network, noise(4)), evaluator, count=100, seed=3, real_data=False)

    inputs = seen.shown[0]
    assert torch.equal(inputs.samples.samples, ganfw.to_uint8(ganfw.sample(network, noise(4), 100, seed=3)))
    assert inputs.samples.samples.dtype == torch.uint8
    assert torch.equal(inputs.training.samples, mnist().samples)
    assert torch.equal(inputs.reference.samples, mnist(split="test").samples)
    assert inputs.seed == found.seed == 3
    for each in (inputs.samples, inputs.training, inputs.reference):
        pooled = nn.functional.adaptive_avg_pool2d(each.samples.double() / 255, 2).flatten(1)
        torch.testing.assert_close(each.features, pooled, rtol=0, atol=1e-6)
        assert each.features.dtype == torch.float64


def test_metrics_measure_the_samples_and_real_data_in_their_place(evaluator: Evaluator) -> None:
    found = ganfw.evaluate(of(Black(), noise(4)), evaluator, count=5000)

    brightness = mnist(split="test").samples.double().mean().item() / 255
    assert found["brightness"] == pytest.approx(-brightness, abs=1e-6)
    assert found["brightness_error"] == pytest.approx(brightness, abs=1e-6)
    real = found.results["brightness_error"].real_data
    assert real is not None
    assert isinstance(real.value, float)
    assert 0 < real.value < 0.01


@pytest.mark.parametrize("held_out", [True, False])
def test_real_data_is_taken_out_of_the_training_samples_it_is_compared_with(held_out: bool) -> None:
    seen = Seen()
    evaluator = Evaluator.of(points(100), points(40, seed=1) if held_out else None, Plain(), {"seen": seen})

    ganfw.evaluate(of(Points(), noise()), evaluator, count=30, seed=5)

    real = seen.shown[1]
    assert (len(real.samples), len(real.training)) == (30, 70)
    whole = torch.cat([real.samples.samples, real.training.samples])
    assert sorted(whole.tolist()) == sorted(points(100).samples.tolist())
    reference = points(40, seed=1).samples if held_out else real.training.samples
    assert torch.equal(real.reference.samples, reference)


def test_real_data_is_measured_once_for_a_count_and_a_seed() -> None:
    seen = Seen()
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": seen})

    for seed in (0, 0, 1):
        ganfw.evaluate(of(Points(), noise()), evaluator, count=10, seed=seed)

    assert len(seen.shown) == 3 + 2


def test_too_few_training_samples_are_the_reason_for_no_score_of_real_data() -> None:
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen()})

    found = ganfw.evaluate(of(Points(), noise()), evaluator, count=51)

    assert found.results["seen"].to_json() == {
        "value": 1.0,
        "better": "higher",
        "real_data": None,
        "real_data_reason": "it needs 102 training samples: 51 to measure and as many to compare with; there are 100",
    }


@pytest.mark.parametrize(("value", "shown"), [(math.inf, "inf"), (math.nan, "nan"), ((0.5, -math.inf), "-inf")])
def test_numbers_that_are_none_become_a_reason(value: float | tuple[float, ...], shown: str) -> None:
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen(wild=MetricValue(value, "lower"))})

    found = ganfw.evaluate(of(Points(), noise()), evaluator, count=10, real_data=False)

    assert found.results["wild"].to_json() == {"value": None, "better": "lower", "reason": f"the result is {shown}"}


def test_an_evaluation_is_a_function_of_its_seed_and_changes_no_random_state() -> None:
    class Careless(Seen):
        def __call__(self, inputs: MetricInputs) -> Mapping[str, MetricValue]:
            return {"drawn": MetricValue(float(torch.rand(())))}

    evaluator = Evaluator.of(points(100), None, Plain(), {"careless": Careless()})
    before = global_state(torch.device("cpu"))

    first, again, other = (
        ganfw.evaluate(of(Points(), noise()), evaluator, count=10, seed=s)["drawn"] for s in (1, 1, 2)
    )

    assert first == again != other
    after = global_state(torch.device("cpu"))
    assert torch.equal(before["torch"], after["torch"])
    assert before["python"] == after["python"]


def test_a_perfect_conditional_generator_scores_as_real_data_does(registry: Registry) -> None:
    evaluator = Evaluator.of(
        unequal(10_000), unequal(5000, seed=1), Plain(), {"distance": registry.load("metric", "frechet_distance")()}
    )

    plain = ganfw.evaluate(of(TwoClasses(), noise()), evaluator, count=5000)
    equal = ganfw.evaluate(of(TwoClasses(), noise()), evaluator, count=5000, labels="equal")

    result = plain.results["frechet_distance"]
    assert result.real_data is not None
    assert result.real_data.value == pytest.approx(0, abs=0.05)
    assert plain["frechet_distance"] == pytest.approx(0, abs=0.05)
    assert equal["frechet_distance"] > 5
    assert (plain.labels, equal.labels) == ("data", "equal")


def test_labels_are_as_frequent_as_in_the_data_unless_asked_otherwise() -> None:
    seen = Seen()
    evaluator = Evaluator.of(unequal(1000), None, Plain(), {"frechet_distance": seen})

    evaluate_truncations(of(TwoClasses(), noise()), evaluator, [0.0, 0.0], count=1000)
    evaluate_truncations(of(TwoClasses(), noise()), evaluator, [0.0], count=1000, seed=1)
    evaluate_truncations(of(TwoClasses(), noise()), evaluator, [0.0], count=1000, labels="equal")

    first, again, other, equal = (inputs.samples.samples[:, 0] == 6 for inputs in seen.shown)
    assert all(torch.equal(inputs.samples.samples[:, 0] == 6, inputs.samples.labels == 1) for inputs in seen.shown)
    assert torch.equal(seen.shown[0].reference.labels, unequal(1000).labels)
    assert int(first.sum()) == pytest.approx(100, abs=40)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(equal, torch.arange(1000) % 2 == 1)


def test_without_labels_in_the_data_each_class_comes_in_turn() -> None:
    seen = Seen()
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": seen})

    found = ganfw.evaluate(of(TwoClasses(), noise()), evaluator, count=4, truncation=0.0, real_data=False)

    assert seen.shown[0].samples.samples[:, 0].tolist() == [0, 6, 0, 6]
    assert seen.shown[0].samples.labels.tolist() == [0, 1, 0, 1]
    assert found.labels == "equal"
    assert ganfw.evaluate(of(Points(), noise()), evaluator, count=4).labels is None


@pytest.mark.parametrize(
    ("generator", "labels", "written", "stem"),
    [
        (TwoClasses(), "data", "as frequent as in the data", "step-000010-count-10"),
        (TwoClasses(), "equal", "in equal shares", "step-000010-labels-equal-count-10"),
        (Points(), "data", None, "step-000010-count-10"),
    ],
)
def test_files_say_which_labels_the_generator_was_given(
    generator: nn.Module, labels: Literal["data", "equal"], written: str | None, stem: str, tmp_path: Path
) -> None:
    evaluator = Evaluator.of(unequal(100), None, Plain(), {"seen": Seen()})
    subject = Subject(name="run", seed=0, step=10, epoch=1, images=320, averaged=False)

    found = ganfw.evaluate(of(generator, noise()), evaluator, count=10, labels=labels)

    path = write_evaluation(tmp_path, subject, evaluator, found)
    assert path == tmp_path / "eval" / f"{stem}.json"
    assert json.loads(path.read_text())["labels"] == written


def test_evaluations_that_differ_are_files_that_differ(tmp_path: Path) -> None:
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen()})
    subject = Subject(name="run", seed=0, step=10, epoch=1, images=320, averaged=False)

    def name(count: int, truncation: float | None) -> str:
        found = ganfw.evaluate(of(Points(), noise()), evaluator, count=count, truncation=truncation)
        return write_evaluation(tmp_path, subject, evaluator, found).name

    assert name(10_000, None) == "step-000010.json"
    assert name(20, None) == "step-000010-count-20.json"
    assert name(20, 1.0) == "step-000010-truncation-1-count-20.json"
    assert name(20, 1.0000001) == "step-000010-truncation-1.0000001-count-20.json"


def test_generator_is_left_in_its_mode() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen()})
    mean = network[1].running_mean.clone()

    ganfw.evaluate(of(network, noise()), evaluator, count=10)

    assert network.training
    assert torch.equal(network[1].running_mean, mean)


def test_images_are_rounded_as_real_ones_are_stored_and_other_data_is_not() -> None:
    shades = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 1.0]).reshape(1, 1, 2, 2)
    real = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)

    assert as_stored(shades, real).flatten().tolist() == [0, 0, 1, 255]
    assert as_stored(shades[:, 0, 0], torch.zeros(1, 2)) is not None
    assert as_stored(shades[:, 0, 0], torch.zeros(1, 2)).dtype == torch.float32


def test_thresholds_share_one_noise() -> None:
    seen = Seen()
    evaluator = Evaluator.of(points(100), None, Plain(), {"frechet_distance": seen, "classifier_score": Seen()})

    found = evaluate_truncations(of(Points(), noise()), evaluator, [0.0, 0.5, 2.0, None], count=50)

    assert [point.truncation for point in found] == [0.0, 0.5, 2.0, None]
    assert [list(point.results) for point in found] == [["seen"]] * 4
    none, half, two, plain = (inputs.samples.samples for inputs in seen.shown)
    assert torch.equal(none, torch.zeros(50, 2))
    assert half.abs().max() <= 0.5
    assert torch.equal(half.argsort(0), plain.argsort(0))
    assert torch.equal(two.argsort(0), plain.argsort(0))


def test_refusals() -> None:
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen()})
    broken = nn.Sequential(nn.Linear(2, 2))
    nn.init.constant_(broken[0].weight, math.nan)

    assert refusal(of(Points(), noise()), evaluator, count=0) == "the number of samples must be >= 1, not 0"
    assert (
        refusal(of(Points(), noise()), evaluator, truncation=-1.0) == "the truncation threshold must be >= 0, not -1.0"
    )
    assert refusal(of(broken, noise()), evaluator, count=4) == (
        "the generator gives values that are not finite; there is nothing to evaluate"
    )
    assert (
        refusal(of(nn.Linear(2, 3), noise()), evaluator, count=4)
        == "samples are (3,); they must be (2,) as real ones are"
    )
    assert refusal(of(Points(), Uniform(torch.device("cpu"), z_dim=2)), evaluator, count=4, truncation=0.5) == (
        "noise of type Uniform has no truncation; choose normal noise, or leave truncation out"
    )
    with pytest.raises(GanfwError) as caught:
        evaluate_truncations(of(Points(), noise()), evaluator, [None])
    assert str(caught.value) == (
        "a truncation curve needs one of the metrics frechet_distance, precision_recall, density_coverage"
    )


def test_two_metrics_of_one_result_are_refused() -> None:
    evaluator = Evaluator.of(points(100), None, Plain(), {"seen": Seen(), "again": Seen()})

    assert refusal(of(Points(), noise()), evaluator, count=4) == (
        "two metrics give a result 'seen'; drop one: metrics.again.enabled = false"
    )


def test_reference_is_the_test_split_where_there_is_one(resolved: ResolvedRecipe, evaluator: Evaluator) -> None:
    assert evaluator.held_out
    assert evaluator.training_size == 60_000
    assert evaluator.about_reference == {
        "data": "mnist",
        "split": "test",
        "count": 10_000,
        "sha256": mnist(split="test").sha256(),
    }


def test_reference_is_the_training_data_where_the_recipe_trains_on_that(
    judged: Recipe, judging_registry: Registry
) -> None:
    recipe = judged.with_overrides(["data.split=test"])

    evaluator = ganfw.open_evaluator(ganfw.resolve(recipe, judging_registry), device="cpu")

    assert not evaluator.held_out
    assert evaluator.about_reference["split"] is None
    assert evaluator.about_reference["count"] == evaluator.training_size == 10_000


def test_more_samples_than_are_looked_at_are_chosen_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganfw.evaluation.evaluator.MAX_TRAINING", 50)
    ordered = TensorData(torch.arange(1000.0).reshape(-1, 1))

    evaluators = [Evaluator.of(ordered, None, Plain(), {}) for _ in range(2)]

    chosen = evaluators[0].training.samples.flatten()
    assert torch.equal(chosen, evaluators[1].training.samples.flatten())
    assert (len(chosen), evaluators[0].training_size) == (50, 1000)
    assert chosen.max() > 900
    assert chosen.min() < 100


def test_sample_sets_have_a_length() -> None:
    assert len(SampleSet(torch.zeros(3, 1), torch.zeros(3, 1))) == 3
