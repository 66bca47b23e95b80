"""Settings of a run, and who chose them."""

from pathlib import Path

import pytest

import ganfw
from ganfw import Recipe, Registry, RunError
from ganfw.report.settings import Setting, by_source, by_table, read_settings


def test_each_setting_knows_who_chose_it(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "mnist_mlp"\n[generator]\nhidden_dim = 64\n')
    recipe = Recipe.load(tmp_path / "mine.toml", registry).with_overrides(["run.max_steps=3", "loss.use=minimax"])
    path = tmp_path / "recipe.toml"
    path.write_text(ganfw.resolve(recipe, registry).to_toml(qualified=True))

    found = {setting.key: setting for setting in read_settings(path)}

    assert found["run.max_steps"] == Setting("run", "max_steps", "3", "--set run.max_steps=3")
    assert found["loss.use"].value == '"ganfw:minimax"'
    sources = {key: setting.source for key, setting in found.items()}
    assert sources["run.max_steps"] == sources["loss.use"] == "hand"
    assert sources["generator.hidden_dim"] == str(tmp_path / "mine.toml")
    assert sources["discriminator.hidden_dim"] == "ganfw:mnist_mlp"
    assert sources["optimizer.generator.eps"] == sources["callbacks.health.use"] == "default"
    assert [source for source, _ in by_source(list(found.values()))] == [
        "hand",
        "ganfw:mnist_mlp",
        str(tmp_path / "mine.toml"),
        "default",
    ]


def test_a_hash_in_a_text_begins_no_comment(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[data]\nroot = \"a # b\"  # default\nfolder = 'c # d'\n")

    assert read_settings(path) == (
        Setting("data", "root", '"a # b"', "default"),
        Setting("data", "folder", '"c # d"'),
    )


def test_any_table_is_read_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'format = 1\n[networks.encoder]\nuse = "m"\n[sampler]\nuse = "w"\n'
        '[averaging.generator]\ndecay = 0.9  # default\n[new."a b".c]\nlist = [1, {x = 2}]\ninline = {y = true}\n'
    )
    settings = read_settings(path)

    assert [(table, [each.name for each in members]) for table, members in by_table(settings)] == [
        ("", ["format"]),
        ("networks.encoder", ["use"]),
        ("sampler", ["use"]),
        ("averaging.generator", ["decay"]),
        ("new.'a b'.c", ["list"]),
        ("new.'a b'.c.inline", ["y"]),
    ]
    assert [each.value for each in settings] == ["1", '"m"', '"w"', "0.9", '[1, {"x": 2}]', "true"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", ": not UTF-8"),
        (b"[run", ": not valid TOML: Unexpected end of file"),
        (b"[a]\nb = 1\n[a]", ': not valid TOML: Key "a" already exists.'),
        (b" " * 70_000, ": larger than 65536 bytes"),
    ],
    ids=["bytes", "no TOML", "twice", "large"],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)

    with pytest.raises(RunError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}{message}")
