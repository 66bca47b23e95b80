import inspect

import pytest
import torch

from ganfw import errors
from ganfw.errors import GanfwError, InputError, did_you_mean, size_problem

ERRORS = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, GanfwError)]


def test_every_error_of_the_module_is_visited() -> None:
    names = {error.__name__ for error in ERRORS}
    assert names == {
        "DataError",
        "GanfwError",
        "InputError",
        "PartError",
        "PluginError",
        "RecipeError",
        "RunError",
        "TrainingError",
    }


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_shows_its_message_and_nothing_else(error: type[GanfwError]) -> None:
    assert str(error("loss 'wgan': the weight must be >= 0, not -1")) == "loss 'wgan': the weight must be >= 0, not -1"


def test_an_input_error_is_a_value_error_to_python_code() -> None:
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    ("word", "options", "expected"),
    [
        ("hiden_dim", ["hidden_dim", "lr"], "did you mean 'hidden_dim'?"),
        ("wgan", ["wgan-gp", "wgan_x", "bce"], "did you mean 'wgan_x' or 'wgan-gp'?"),
        ("adm", ["adam", "adamw", "adamax", "nadam"], "did you mean 'adam' or 'nadam' or 'adamw'?"),
        ("wgn", ["wgan", "wgan"], "did you mean 'wgan'?"),
        ("zzz", ["adam", "sgd"], ""),
        ("adam", [], ""),
        ("", ["adam"], ""),
    ],
)
def test_at_most_three_near_words_are_suggested_each_once(word: str, options: list[str], expected: str) -> None:
    assert did_you_mean(word, options) == expected


def test_errors_of_size_are_recognised() -> None:
    with pytest.raises(RuntimeError) as allocated:
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError) as computed:
        torch.empty(1 << 62, 1 << 62)
    with pytest.raises(TypeError) as converted:
        torch.empty(1 << 80)
    with pytest.raises(RuntimeError) as other:
        torch.zeros(2) @ torch.zeros(3)

    told = [size_problem(each.value) for each in (allocated, computed, converted)]
    assert all(reason and "\n" not in reason for reason in told), told
    assert size_problem(other.value) is None
    assert size_problem(MemoryError()) == "MemoryError: "
