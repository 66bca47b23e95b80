import pytest
from attrs.exceptions import FrozenInstanceError

import ganfw
from ganfw import Part
from ganfw.plugins.context import CONTEXT
from ganfw.plugins.part import KINDS
from ganfw.recipe.tables import TABLES

LOWER_CASE = "[a-z][a-z0-9_]*"


def test_a_part_is_described_without_being_imported() -> None:
    part = Part(kind="loss", name="wgan", target="no_such_package.losses:Wasserstein.make", help="distance")
    assert (part.kind, part.name, part.help) == ("loss", "wgan", "distance")
    assert part.target == "no_such_package.losses:Wasserstein.make"


def test_the_help_of_a_part_may_be_left_out() -> None:
    assert Part(kind="loss", name="wgan", target="a:b").help == ""


def test_a_plugin_may_offer_a_kind_that_this_version_does_not_use() -> None:
    assert Part(kind="exporter", name="html", target="a:b").kind == "exporter"


def test_a_part_cannot_be_changed() -> None:
    part = Part(kind="loss", name="wgan", target="a:b")
    with pytest.raises(FrozenInstanceError):
        part.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "Loss", f"the kind of a part must be written as {LOWER_CASE}, not 'Loss'"),
        ("kind", "", f"the kind of a part must be written as {LOWER_CASE}, not ''"),
        ("name", "WGAN", f"the name of a part must be written as {LOWER_CASE}, not 'WGAN'"),
        ("name", "a:b", f"the name of a part must be written as {LOWER_CASE}, not 'a:b'"),
        ("name", "wgan\n", rf"the name of a part must be written as {LOWER_CASE}, not 'wgan\n'"),
        ("name", 7, f"the name of a part must be written as {LOWER_CASE}, not 7"),
        ("target", "losses", r"the target of a part must be written as [\w.]+:[\w.]+, not 'losses'"),
        ("target", "a:b:c", r"the target of a part must be written as [\w.]+:[\w.]+, not 'a:b:c'"),
        ("target", "../a:b", r"the target of a part must be written as [\w.]+:[\w.]+, not '../a:b'"),
        ("help", "two\nlines", r"the help of a part must be written as .*, not 'two\nlines'"),
        ("help", None, "the help of a part must be written as .*, not None"),
    ],
)
def test_a_part_written_in_another_way_is_refused(field: str, value: object, message: str) -> None:
    fields: dict[str, object] = {"kind": "loss", "name": "wgan", "target": "a:b", field: value}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        Part(**fields)
    assert str(caught.value) == message


def test_the_hook_marker_marks_functions_for_the_ganfw_host() -> None:
    assert ganfw.hookimpl.project_name == "ganfw"


def test_every_kind_that_a_recipe_table_holds_is_a_listed_kind() -> None:
    assert {table.kind for table in TABLES} | {"launcher", "recipe"} == set(KINDS)


def test_context_arguments_and_kinds_say_what_they_are_and_cannot_be_changed() -> None:
    for words in (CONTEXT, KINDS):
        assert all(words.values())
        with pytest.raises(TypeError):
            words["more"] = "x"  # type: ignore[index]
