"""`ganfw parts`, `ganfw plugins`, `ganfw recipes`, as a user sees them."""

import json
import re
from importlib.metadata import version

import pytest
from click.testing import CliRunner

from ganfw import Registry, discover
from ganfw.cli import main
from ganfw.cli.inspect import wrapped

VERSION = version("ganfw")


def invoke(*arguments: str, status: int = 0) -> tuple[str, str]:
    result = CliRunner(env={"GANFW_PLUGINS": ""}).invoke(main, arguments)
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def test_parts_lists_every_kind_with_its_packages() -> None:
    stdout, _ = invoke("parts")

    assert "loss  numbers from logits\n" in stdout
    assert re.search(
        rf"^  bce +binary cross-entropy, non-saturating generator +ganfw  {re.escape(VERSION)}$", stdout, re.MULTILINE
    )


def test_parts_of_one_kind() -> None:
    stdout, _ = invoke("parts", "generator")

    assert stdout.splitlines() == [
        "generator  networks from noise to samples",
        f"  mlp  multilayer perceptron with BatchNorm  ganfw  {VERSION}",
    ]


def test_one_part_is_described_with_context_arguments_and_keys() -> None:
    stdout, _ = invoke("parts", "noise", "truncated")

    head = f"noise truncated  N(0, I) with every coordinate in [-t, t]\n  from    ganfw {VERSION}\n"
    assert stdout.startswith(head)
    assert "\n  Raises:\n      InputError: the threshold is below 0 or not a number.\n\nContext arguments" in stdout
    assert "Context arguments, given by ganfw\n  device  torch.device the run trains on\n" in stdout
    assert stdout.endswith(
        "Keys, set by a recipe\n"
        "  key        type        default\n"
        "  z_dim      int >= 1         64  length of a noise vector\n"
        "  threshold  float >= 0      2.0  largest absolute value of a coordinate; 0 gives only the mean\n"
    )


def test_sections_of_a_docstring_are_wrapped_entry_by_entry() -> None:
    documentation = (
        "Draws from here.\n\nA long\nsentence.\n\nArgs:\n    first: words that\n        go on.\n    second: more.\n\n"
        "Raises:\n    InputError: too far."
    )

    assert wrapped(documentation, 24) == (
        "  Draws from here.\n\n  A long sentence.\n\n  Args:\n      first: words that\n          go on.\n"
        "      second: more.\n\n  Raises:\n      InputError: too\n          far."
    )


def test_json_says_the_same() -> None:
    registry = discover(allowed=())
    everything = json.loads(invoke("parts", "--json")[0])
    one = json.loads(invoke("parts", "data", "mnist", "--json")[0])

    assert len(everything) == len(list(registry.parts()))
    assert [(part["kind"], part["name"]) for part in everything] == [
        (offer.part.kind, offer.part.name) for offer in registry.parts()
    ]
    assert one["keys"][1] == {
        "name": "root",
        "type": "str",
        "required": False,
        "default": None,
        "help": "folder of your own copy, in torchvision's layout: MNIST/raw/ is in it",
    }


def test_plugins_lists_the_built_in_one(registry: Registry) -> None:
    stdout, _ = invoke("plugins")
    (first, *_) = json.loads(invoke("plugins", "--json")[0])

    assert stdout.splitlines()[0].split() == ["plugin", "version", "parts", "status"]
    assert stdout.splitlines()[1].split() == ["ganfw", VERSION, str(len(registry.plugins[0].parts)), "active"]
    assert (first["distribution"], first["status"], first["reason"]) == ("ganfw", "active", "")
    assert "loss bce" in first["parts"]


def test_recipes_lists_what_can_be_run_by_name() -> None:
    stdout, _ = invoke("recipes")
    values = json.loads(invoke("recipes", "--json")[0])

    assert re.search(r"^  mnist_mlp +the classic first GAN on MNIST: two MLPs, 200 epochs +ganfw", stdout, re.MULTILINE)
    assert "mnist_mlp" in [value["name"] for value in values]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["parts", "los"], "unknown kind 'los'; did you mean 'loss'?; see: ganfw parts"),
        (["parts", "loss", "bec"], "no loss is named 'bec'; did you mean 'bce'?; see: ganfw parts loss"),
        (["parts", "recipe", "mnist_mlp"], "a recipe has no keys; see: ganfw show mnist_mlp"),
        (["--no-plugin-at-all"], None),
        (["parts", "--no-plugin", "x"], "--no-plugin: no plugin 'x' is installed; see: ganfw plugins"),
        (["parts", "--no-plugin", "ganfw"], "--no-plugin ganfw: the built-in parts cannot be blocked; leave it out"),
    ],
)
def test_bad_words_get_one_message_and_status_2(arguments: list[str], message: str | None) -> None:
    _, stderr = invoke(*arguments, status=2)

    if message is not None:
        assert stderr == f"Error: {message}\n"
