import importlib.resources
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ganfw import GanfwError, Part, Recipe, RecipeError, Registry, ResolvedRecipe, RunSettings, discover, resolve
from ganfw.plugins.registry import Plugin
from ganfw.recipe.origins import Origin

Size = Annotated[int, Ge(1), "how many"]


def points(*, count: Size, spread: float = 1) -> None: ...


class Normal:
    def __init__(self, device: object, /, *, z_dim: Size = 2) -> None: ...


class Net:
    def __init__(
        self,
        z_dim: int,
        /,
        *,
        width: Size = 8,
        activation: Literal["relu", "tanh"] = "relu",
        bias: bool = True,
        slopes: tuple[float, float] = (0, 0.5),
        limit: Annotated[Annotated[float, Gt(0)] | None, "largest output"] = None,
        title: str | None = None,
    ) -> None: ...


class DeepNet:
    def __init__(self, *, depth: Size, width: Size = 8) -> None: ...


class Nothing:
    """A part without context arguments and keys."""


class Alternating:
    def __init__(self, generator: object, discriminator: object, noise: object, loss: object, /) -> None: ...


class Misspelt:
    def __init__(self, zdim: int, /) -> None: ...


def adam(parameters: object, /, *, lr: Annotated[float, Ge(0)] = 1e-3) -> None: ...


def samples(*, every_steps: Size = 500) -> None: ...


METRICS = (
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "density_coverage",
    "nearest_neighbours",
    "diversity",
)
PARTS = {
    ("data", "points"): "points",
    ("noise", "normal"): "Normal",
    ("generator", "net"): "Net",
    ("generator", "deep_net"): "DeepNet",
    ("discriminator", "net"): "Net",
    ("loss", "bce"): "Nothing",
    ("loss", "gone"): "NoSuchClass",
    ("loss", "misspelt"): "Misspelt",
    ("loss", "twofold"): "Nothing",
    ("step", "alternating"): "Alternating",
    ("optimizer", "adam"): "adam",
    ("callback", "health"): "Nothing",
    ("callback", "progress"): "Nothing",
    ("callback", "metrics"): "Nothing",
    ("callback", "checkpoint"): "Nothing",
    ("callback", "samples"): "samples",
    **{("metric", name): "Nothing" for name in METRICS},
}


def plugin(distribution: str, parts: dict[tuple[str, str], str]) -> Plugin:
    made = (Part(kind=kind, name=name, target=f"{__name__}:{target}") for (kind, name), target in parts.items())
    return Plugin(distribution, "1.0", __name__, tuple(made))


REGISTRY = Registry((plugin("toy", PARTS), plugin("other", {("loss", "twofold"): "Nothing"})))

TEXT = """\
format = 1

[run]
epochs = 2

[data]
use = "points"
count = 100

[noise]
use = "normal"

[generator]
use = "net"
width = 4

[discriminator]
use = "net"

[loss]
use = "bce"

[step]
use = "alternating"

[optimizer.generator]
use = "adam"
lr = 1

[optimizer.discriminator]
use = "adam"

[callbacks.samples]
use = "samples"
"""

RECIPE = Recipe.parse(TEXT, name="toy", file="toy.toml")


def refusal(recipe: Recipe, **options: Any) -> str:
    """Return the message about a recipe that is wrong."""
    with pytest.raises(RecipeError) as caught:
        resolve(recipe, REGISTRY, **options)
    return str(caught.value)


def edited(old: str, new: str) -> Recipe:
    """Return the recipe with a piece of its text written differently."""
    assert TEXT.count(old) == 1
    return Recipe.parse(TEXT.replace(old, new), name="toy", file="toy.toml")


class TestDefaults:
    def test_every_default_is_filled_in(self) -> None:
        net = {"activation": "relu", "bias": True, "slopes": [0, 0.5]}
        assert resolve(RECIPE, REGISTRY).recipe.tables == {
            "format": 1,
            "run": {
                "seed": 0,
                "epochs": 2,
                "batch_size": 128,
                "device": "auto",
                "precision": "fp32",
                "tf32": False,
                "compile": "auto",
                "accumulate": 1,
                "sync_batch_norm": True,
                "log_every_steps": 500,
            },
            "data": {"use": "points", "count": 100, "spread": 1},
            "noise": {"use": "normal", "z_dim": 2},
            "generator": {"use": "net", "width": 4, **net},
            "discriminator": {"use": "net", "width": 8, **net},
            "loss": {"use": "bce"},
            "step": {"use": "alternating"},
            "optimizer": {"generator": {"use": "adam", "lr": 1.0}, "discriminator": {"use": "adam", "lr": 1e-3}},
            "callbacks": {
                "health": {"use": "health"},
                "progress": {"use": "progress"},
                "metrics": {"use": "metrics"},
                "checkpoint": {"use": "checkpoint"},
                "samples": {"use": "samples", "every_steps": 500},
            },
            "metrics": {name: {"use": name} for name in METRICS},
        }

    def test_every_value_keeps_or_gets_its_origin(self) -> None:
        origins = resolve(RECIPE.with_overrides(["noise.z_dim=3"]), REGISTRY).recipe.origins
        assert origins[("generator", "width")] == Origin("toy.toml:15", "width = 4")
        assert origins[("generator", "bias")] == Origin("default")
        assert origins[("noise", "z_dim")] == Origin("--set noise.z_dim=3")
        assert origins[("callbacks", "metrics", "use")] == Origin("default")
        assert origins[("run", "seed")] == Origin("default")

    def test_the_run_table_may_be_left_out(self) -> None:
        assert resolve(edited("[run]\nepochs = 2\n", ""), REGISTRY).settings == RunSettings()

    def test_the_format_may_be_left_out(self) -> None:
        resolved = resolve(edited("format = 1\n", ""), REGISTRY)
        assert resolved.recipe.tables["format"] == 1
        assert resolved.recipe.origins[("format",)] == Origin("default")

    def test_settings_are_the_run_table(self) -> None:
        options = ["run.max_steps=5", "run.device=cuda:1", "run.workers=0"]
        settings = resolve(RECIPE.with_overrides(options), REGISTRY).settings
        assert settings == RunSettings(epochs=2, max_steps=5, device="cuda:1", workers=0)

    def test_offers_are_those_of_the_tables_by_their_addresses(self) -> None:
        offers = resolve(RECIPE, REGISTRY).parts
        assert {address: str(offer) for address, offer in offers.items()} == {
            "data": "data 'points' (toy 1.0)",
            "noise": "noise 'normal' (toy 1.0)",
            "generator": "generator 'net' (toy 1.0)",
            "discriminator": "discriminator 'net' (toy 1.0)",
            "loss": "loss 'bce' (toy 1.0)",
            "step": "step 'alternating' (toy 1.0)",
            "optimizer.generator": "optimizer 'adam' (toy 1.0)",
            "optimizer.discriminator": "optimizer 'adam' (toy 1.0)",
            "callbacks.health": "callback 'health' (toy 1.0)",
            "callbacks.progress": "callback 'progress' (toy 1.0)",
            "callbacks.metrics": "callback 'metrics' (toy 1.0)",
            "callbacks.checkpoint": "callback 'checkpoint' (toy 1.0)",
            "callbacks.samples": "callback 'samples' (toy 1.0)",
            **{f"metrics.{name}": f"metric '{name}' (toy 1.0)" for name in METRICS},
        }

    def test_parameters_are_those_of_the_part_at_an_address(self) -> None:
        recipe = RECIPE.with_overrides(["callbacks.samples.enabled=true"])
        resolved = resolve(recipe, REGISTRY)
        assert resolved.parameters("optimizer.generator") == {"lr": 1.0}
        assert resolved.parameters("callbacks.samples") == {"every_steps": 500}
        assert resolved.parameters("loss") == {}

    def test_resolving_leaves_the_recipe_as_it_was(self) -> None:
        recipe = Recipe.parse(TEXT)
        resolve(recipe, REGISTRY)
        assert recipe.tables == tomllib.loads(TEXT)

    def test_only_some_tables_can_be_looked_at(self) -> None:
        recipe = edited('use = "bce"', 'use = "gone"')
        resolved = resolve(recipe, REGISTRY, only=["noise", "generator"])
        assert list(resolved.parts) == ["noise", "generator"]
        assert list(resolved.recipe.tables) == ["format", "run", "noise", "generator"]


class TestValues:
    def test_an_int_is_fine_where_a_float_is_asked_and_becomes_one(self) -> None:
        lr = resolve(RECIPE, REGISTRY).recipe.tables["optimizer"]["generator"]["lr"]
        assert (type(lr), lr) == (float, 1.0)

    def test_a_bare_word_is_a_string_where_the_type_has_strings(self) -> None:
        options = ["generator.activation=tanh", "generator.title=my net", "noise.use=toy:normal"]
        tables = resolve(RECIPE.with_overrides(options), REGISTRY).recipe.tables
        assert (tables["generator"]["activation"], tables["generator"]["title"]) == ("tanh", "my net")
        assert [type(tables["generator"][key]) for key in ("activation", "title")] == [str, str]
        assert (type(tables["noise"]["use"]), tables["noise"]["use"]) == (str, "toy:normal")

    def test_none_in_python_means_that_a_key_is_left_out(self) -> None:
        resolved = resolve(Recipe(extends=RECIPE, generator={"limit": None, "title": None}), REGISTRY)
        assert resolved == resolve(RECIPE, REGISTRY)
        assert Recipe.parse(resolved.to_toml()) == resolved.recipe

    def test_tuples_in_python_become_lists(self) -> None:
        resolved = resolve(Recipe(extends=RECIPE, generator={"slopes": (0.1, 1)}), REGISTRY)
        assert resolved.recipe.tables["generator"]["slopes"] == [0.1, 1.0]

    def test_another_part_drops_the_parameters_of_the_old_one(self) -> None:
        options = ["generator.use=deep_net", "generator.depth=3"]
        resolved = resolve(RECIPE.with_overrides(options), REGISTRY)
        assert resolved.recipe.tables["generator"] == {"use": "deep_net", "depth": 3, "width": 8}
        assert resolved.recipe.origins[("generator", "width")] == Origin("default")

    @pytest.mark.parametrize(
        ("option", "complaint"),
        [
            ("noise.z_dim='3'", "noise.z_dim must be an int >= 1, not '3'"),
            ("noise.z_dim=1.7", "noise.z_dim must be an int >= 1, not 1.7"),
            ("noise.z_dim=true", "noise.z_dim must be an int >= 1, not true"),
            ("noise.z_dim=0", "noise.z_dim must be >= 1, not 0"),
            ("noise.z_dim=three", "noise.z_dim must be an int >= 1, not 'three'"),
            ("noise.z_dim=[3]", "noise.z_dim must be an int >= 1, not [3]"),
            ("noise.z_dim={ a = 1 }", "noise.z_dim must be an int >= 1, not {'a': 1}"),
            ("noise.z_dim=1979-05-27", "noise.z_dim must be an int >= 1, not datetime.date(1979, 5, 27)"),
        ],
    )
    def test_a_value_of_the_wrong_type_is_an_error(self, option: str, complaint: str) -> None:
        assert refusal(RECIPE.with_overrides([option])) == (
            f"--set {option}: {complaint}\n  see: ganfw parts noise normal"
        )

    @pytest.mark.parametrize(
        ("written", "complaint"),
        [
            ('bias = "false"', "generator.bias must be a bool, not 'false'"),
            ('activation = "Relu"', "generator.activation must be 'relu' or 'tanh', not 'Relu'"),
            ("slopes = [0.5]", "generator.slopes must be a list of 2: float, float, not [0.5]"),
            ("slopes = [0.5, nan]", "generator.slopes must be a finite number, not nan"),
            ("limit = inf", "generator.limit must be a finite number, not inf"),
            ("limit = 0.0", "generator.limit must be > 0, not 0.0"),
            ("title = 1", "generator.title must be a str, not 1"),
            ("[generator.title]", "generator.title must be a str, not {}"),
        ],
    )
    def test_a_wrong_value_in_a_file_is_shown_with_its_line(self, written: str, complaint: str) -> None:
        assert refusal(edited("width = 4", written)) == (
            f"toy.toml:15: {complaint}\n    {written}\n  see: ganfw parts generator net"
        )

    def test_a_wrong_value_in_python_says_python(self) -> None:
        assert refusal(Recipe(extends=RECIPE, noise={"z_dim": None})) == (
            "Python: noise.z_dim must be an int >= 1, not None\n  see: ganfw parts noise normal"
        )

    def test_a_wrong_value_in_the_run_table_lists_its_keys(self) -> None:
        assert refusal(edited("epochs = 2", "epochs = 0")) == (
            f"toy.toml:4: run.epochs must be >= 1, not 0\n    epochs = 0\n  {RUN_KEYS}"
        )


RUN_KEYS = (
    "its keys are seed, epochs, batch_size, max_steps, device, precision, tf32, compile, accumulate, sync_batch_norm, "
    "log_every_steps, workers"
)
TABLE_NAMES = (
    "tables are run, data, noise, generator, discriminator, networks, loss, regularizers, augmentations, step, "
    "optimizer, schedule, averaging, sampler, callbacks, embedding, metrics, expect"
)


class TestProblems:
    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            (
                "format = 1",
                "format = 2",
                "toy.toml:1: format must be 1, the recipe format this version reads\n    format = 2",
            ),
            (
                "format = 1",
                "format = true",
                "toy.toml:1: format must be 1, the recipe format this version reads\n    format = true",
            ),
            (
                "format = 1",
                "format = 1.0",
                "toy.toml:1: format must be 1, the recipe format this version reads\n    format = 1.0",
            ),
            (
                "[loss]",
                "[los]\n[loss]",
                f"toy.toml:20: unknown table [los]\n    [los]\n  did you mean 'loss'?\n  {TABLE_NAMES}",
            ),
            (
                "[loss]",
                "['a.b'.c]\n[loss]",
                f"toy.toml:20: unknown table ['a.b']\n    ['a.b'.c]\n  {TABLE_NAMES}",
            ),
            (
                "format = 1",
                "format = 1\nseed = 0",
                f"toy.toml:2: unknown key 'seed'\n    seed = 0\n  {TABLE_NAMES}",
            ),
            (
                "epochs = 2",
                "epoch = 2",
                "toy.toml:4: unknown key 'epoch' of [run]\n    epoch = 2\n  did you mean 'epochs'?\n  " + RUN_KEYS,
            ),
            ("[run]\nepochs = 2", "run = 2", "toy.toml:3: 'run' must be a table: [run]\n    run = 2"),
            (
                "[data]",
                "[run.more]\n[data]",
                f"toy.toml:6: unknown key 'more' of [run]\n    [run.more]\n  {RUN_KEYS}",
            ),
            (
                "width = 4",
                "widthh = 4",
                "toy.toml:15: unknown key 'widthh' of generator 'net'\n    widthh = 4\n  did you mean 'width'?\n"
                "  see: ganfw parts generator net",
            ),
            (
                "width = 4",
                '"\\u001b[2J" = 4',
                "toy.toml:15: unknown key '\\x1b[2J' of generator 'net'\n    \"\\u001b[2J\" = 4\n"
                "  see: ganfw parts generator net",
            ),
            (
                "count = 100",
                "",
                "toy.toml:6: data 'points' needs the key 'count', an int >= 1\n    [data]\n"
                "  see: ganfw parts data points",
            ),
            (
                'use = "bce"',
                'use = "bcee"',
                "toy.toml:21: no loss is named 'bcee'\n    use = \"bcee\"\n  did you mean 'bce'?\n"
                "  see: ganfw parts loss",
            ),
            (
                'use = "bce"',
                'use = "elsewhere:bce"',
                "toy.toml:21: no loss is named 'elsewhere:bce'\n    use = \"elsewhere:bce\"\n"
                "  install its package: pip install elsewhere\n  see: ganfw parts loss",
            ),
            (
                'use = "bce"',
                'use = "twofold"',
                "toy.toml:21: loss 'twofold' is offered by 2 plugins\n    use = \"twofold\"\n"
                "  write 'toy:twofold' or 'other:twofold'",
            ),
            (
                'use = "bce"',
                'use = "gone"',
                f"toy.toml:21: loss 'gone' (toy 1.0) cannot be loaded from '{__name__}:NoSuchClass': AttributeError: "
                f"module '{__name__}' has no attribute 'NoSuchClass'\n    use = \"gone\"",
            ),
            (
                'use = "bce"',
                'use = "misspelt"',
                "toy.toml:21: loss 'misspelt' (toy 1.0) asks for 'zdim', which a loss is not given\n"
                "    use = \"misspelt\"\n  did you mean 'z_dim'?\n"
                "  it may ask for seed, device, sample_shape, num_classes, entry_shapes, noise, z_dim",
            ),
            (
                'use = "bce"',
                "",
                "toy.toml:20: [loss] names no part; write use = \"…\"\n    [loss]\n  see: ganfw parts loss",
            ),
            (
                'use = "bce"',
                "use = true",
                "toy.toml:21: [loss] names its part by true, which is not a string; write use = \"…\"\n    use = true\n"
                "  see: ganfw parts loss",
            ),
            (
                'use = "bce"',
                "[loss.use]",
                "toy.toml:21: [loss] names its part by {}, which is not a string; write use = \"…\"\n    [loss.use]\n"
                "  see: ganfw parts loss",
            ),
            (
                'use = "bce"',
                'use = "bce"\nenabled = false',
                "toy.toml:25: step 'alternating' (toy 1.0) asks for 'loss': the recipe has no [loss]\n"
                "    use = \"alternating\"\n  add the table; see: ganfw parts loss",
            ),
            (
                "count = 100",
                "count = 100\nenabled = true",
                "toy.toml:9: [data] is needed, so it cannot have the key 'enabled'\n    enabled = true",
            ),
            (
                '[optimizer.discriminator]\nuse = "adam"',
                "",
                "toy.toml:17: network 'discriminator' is not trained: no optimizer holds it\n"
                "    [discriminator]\n  add [optimizer.discriminator], or \"discriminator\" to the networks of "
                "another, or frozen = true to [discriminator]",
            ),
            (
                '[optimizer.discriminator]\nuse = "adam"',
                '[optimizer]\ndiscriminator = "adam"',
                "toy.toml:31: 'optimizer.discriminator' must be a table: [optimizer.discriminator]\n"
                '    discriminator = "adam"',
            ),
            (
                '[optimizer.discriminator]',
                '[optimizer.discrimnator]\nuse = "adam"\n[optimizer.discriminator]',
                "toy.toml:30: [optimizer.discrimnator] is for the network 'discrimnator', which the recipe does not "
                "have\n    [optimizer.discrimnator]\n  did you mean 'discriminator'?\n"
                '  [optimizer.discrimnator] may say: networks = ["…"]',
            ),
            (
                '[callbacks.samples]\nuse = "samples"',
                '[callbacks]\nsamples = "samples"',
                "toy.toml:34: 'callbacks.samples' must be a table: [callbacks.samples]\n    samples = \"samples\"",
            ),
            (
                '[callbacks.samples]\nuse = "samples"',
                '[callbacks."a.b"]\nuse = "samples"',
                "toy.toml:33: [callbacks.'a.b'] has a name that is not of letters, digits, '_' and '-'\n"
                '    [callbacks."a.b"]',
            ),
            (
                'use = "samples"',
                'use = "samples"\nenabled = "no"',
                "toy.toml:35: 'enabled' must be true or false, not 'no'\n    enabled = \"no\"",
            ),
            (
                'use = "samples"',
                "every_steps = 5",
                "toy.toml:33: [callbacks.samples] names no part; write use = \"…\"\n    [callbacks.samples]\n"
                "  see: ganfw parts callback",
            ),
        ],
    )  # fmt: skip
    def test_a_problem_is_reported_with_its_line_its_text_and_what_to_do(
        self, old: str, new: str, message: str
    ) -> None:
        assert refusal(edited(old, new)) == message

    @pytest.mark.parametrize("name", ["run", "data", "optimizer", "callbacks"])
    def test_a_value_where_a_table_belongs_is_an_error(self, name: str) -> None:
        for value in (1, [{}], "adam"):
            recipe = Recipe(extends=RECIPE, **{name: value})
            assert refusal(recipe) == f"Python: '{name}' must be a table: [{name}]"

    def test_an_empty_recipe_lacks_the_tables_that_every_recipe_has(self) -> None:
        assert refusal(Recipe(name="empty")) == "2 problems in recipe 'empty'\n\n" + "\n\n".join(
            f"recipe 'empty': table [{table}] is missing\n  see: ganfw parts {table}" for table in ("data", "step")
        )

    def test_all_problems_are_reported_at_once(self, tmp_path: Path) -> None:
        base = tmp_path / "base.toml"
        base.write_text(TEXT.replace("count = 100", "count = 0"))
        child = tmp_path / "child.toml"
        child.write_text('extends = "base.toml"\n\n[generator]\nwidthh = 1\nbias = "no"\n')
        recipe = Recipe.load(child).with_overrides(["loss.use=bcee", "run.seed=-1"])
        assert refusal(recipe) == (
            "5 problems in recipe 'child'\n"
            "\n"
            "--set run.seed=-1: run.seed must be >= 0, not -1\n"
            f"  {RUN_KEYS}\n"
            "\n"
            f"{base}:8: data.count must be >= 1, not 0\n"
            "    count = 0\n"
            "  see: ganfw parts data points\n"
            "\n"
            f"{child}:4: unknown key 'widthh' of generator 'net'\n"
            "    widthh = 1\n"
            "  did you mean 'width'?\n"
            "  see: ganfw parts generator net\n"
            "\n"
            f"{child}:5: generator.bias must be a bool, not 'no'\n"
            '    bias = "no"\n'
            "  see: ganfw parts generator net\n"
            "\n"
            "--set loss.use=bcee: no loss is named 'bcee'\n"
            "  did you mean 'bce'?\n"
            "  see: ganfw parts loss"
        )

    def test_a_long_key_is_shortened(self) -> None:
        told = refusal(Recipe.parse(f"{TEXT}\n[{'x' * 50_000}]\n", name="toy", file="toy.toml"))
        line = TEXT.count("\n") + 2
        assert told.startswith(f"toy.toml:{line}: unknown table [{'x' * 984}…\n    [{'x' * 198}…\n")

    def test_of_thousands_of_problems_the_first_are_reported(self) -> None:
        text = TEXT + "".join(f"\n[unknown{number}]" for number in range(1000))
        told = refusal(Recipe.parse(text, name="toy")).split("\n\n")
        assert told[0] == "1000 problems in recipe 'toy'; the first 50"
        assert [line.partition(": ")[2].partition("\n")[0] for line in told[1:]] == [
            f"unknown table [unknown{number}]" for number in range(50)
        ]

    def test_a_missing_part_names_the_plugins_that_failed(self) -> None:
        failed = Plugin("ganfw-x", "1.0", "ganfw_x", status="failed", reason="RuntimeError: no licence (ganfw_x.py:3)")
        with pytest.raises(RecipeError) as caught:
            resolve(edited('use = "bce"', 'use = "wgan"'), Registry((*REGISTRY.plugins, failed)))
        assert str(caught.value) == (
            "toy.toml:21: no loss is named 'wgan'\n"
            '    use = "wgan"\n'
            "  plugin 'ganfw-x' might offer it but failed: RuntimeError: no licence (ganfw_x.py:3)\n"
            "  see: ganfw parts loss"
        )


class TestDisabled:
    def test_a_callback_that_is_not_enabled_is_dropped(self) -> None:
        resolved = resolve(RECIPE.with_overrides(["callbacks.metrics.enabled=false"]), REGISTRY)
        assert "callbacks.metrics" not in resolved.parts
        assert resolved.recipe.tables["callbacks"]["metrics"] == {"use": "metrics", "enabled": False}

    def test_a_callback_may_be_enabled_again(self) -> None:
        options = ["callbacks.metrics.enabled=false", "callbacks.metrics.enabled=true"]
        resolved = resolve(RECIPE.with_overrides(options), REGISTRY)
        assert "callbacks.metrics" in resolved.parts

    def test_a_dropped_callback_is_not_looked_up_and_keeps_what_was_written(self) -> None:
        text = '[callbacks.mine]\nuse = "far:mine"\nenabled = false\ncolour = "red"\n[callbacks.mine.more]\na = [1]\n'
        resolved = resolve(Recipe.parse(TEXT + text), REGISTRY)
        assert resolved.recipe.tables["callbacks"]["mine"] == tomllib.loads(text)["callbacks"]["mine"]
        assert Recipe.parse(resolved.to_toml()) == resolved.recipe


class TestWriting:
    def test_the_resolved_recipe_is_written_with_the_origin_of_every_value(self) -> None:
        recipe = Recipe(extends=RECIPE.with_overrides(["noise.z_dim=3"]), loss={"use": "other:twofold"})
        text = resolve(recipe, REGISTRY, only=["data", "noise", "loss", "optimizer"]).to_toml()
        assert (
            text
            == """\
format = 1  # toy.toml:1

[run]
seed = 0                # default
epochs = 2              # toy.toml:4
batch_size = 128        # default
device = "auto"         # default
precision = "fp32"      # default
tf32 = false            # default
compile = "auto"        # default
accumulate = 1          # default
sync_batch_norm = true  # default
log_every_steps = 500   # default

[data]
use = "points"  # toy.toml:7, from toy 1.0
count = 100     # toy.toml:8
spread = 1      # default

[noise]
use = "normal"  # toy.toml:11, from toy 1.0
z_dim = 3       # --set noise.z_dim=3

[loss]
use = "other:twofold"  # Python, from other 1.0

[optimizer.generator]
use = "adam"  # toy.toml:27, from toy 1.0
lr = 1.0      # toy.toml:28

[optimizer.discriminator]
use = "adam"  # toy.toml:31, from toy 1.0
lr = 0.001    # default
"""
        )

    def test_an_option_of_several_lines_leaves_the_written_recipe_whole(self) -> None:
        resolved = resolve(RECIPE.with_overrides(["generator.title='''a\nb'''"]), REGISTRY)
        assert Recipe.parse(resolved.to_toml()) == resolved.recipe

    def test_a_qualified_recipe_names_every_part_with_its_package(self) -> None:
        recipe = RECIPE.with_overrides(["callbacks.metrics.enabled=false", "callbacks.samples.enabled=true"])
        resolved = resolve(recipe, REGISTRY)
        tables = resolved.qualified().tables
        assert tables["generator"] == {**resolved.recipe.tables["generator"], "use": "toy:net"}
        assert tables["optimizer"]["discriminator"] == {"use": "toy:adam", "lr": 1e-3}
        assert tables["callbacks"] == {
            "health": {"use": "toy:health"},
            "progress": {"use": "toy:progress"},
            "metrics": {"use": "metrics", "enabled": False},
            "checkpoint": {"use": "toy:checkpoint"},
            "samples": {"use": "toy:samples", "enabled": True, "every_steps": 500},
        }

    def test_a_qualified_recipe_means_the_same_whatever_is_installed_later(self) -> None:
        resolved = resolve(RECIPE, REGISTRY)
        rival = plugin("rival", PARTS)
        again = resolve(Recipe.parse(resolved.qualified().to_toml()), Registry((rival, *REGISTRY.plugins)))
        assert again.parts == resolved.parts
        assert again.settings == resolved.settings
        for address in resolved.parts:
            assert again.parameters(address) == resolved.parameters(address)


def hold_to_promises(resolved: ResolvedRecipe, registry: Registry) -> None:
    """Hold a resolved recipe to what is promised of every one."""
    again = resolve(resolved.recipe, registry)
    assert again == resolved
    assert again.recipe.origins == resolved.recipe.origins
    for text in (resolved.to_toml(), resolved.recipe.to_toml()):
        loaded = Recipe.parse(text)
        assert loaded == resolved.recipe
        assert resolve(loaded, registry) == resolved
    qualified = resolved.qualified()
    loaded = Recipe.parse(qualified.to_toml())
    assert loaded == qualified
    assert resolve(loaded, registry).qualified() == qualified


finite = st.floats(allow_nan=False, allow_infinity=False)
net_keys = st.fixed_dictionaries(
    {},
    optional={
        "width": st.integers(1, 2**63 - 1),
        "activation": st.sampled_from(["relu", "tanh"]),
        "bias": st.booleans(),
        "slopes": st.lists(finite | st.integers(), min_size=2, max_size=2),
        "limit": st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        "title": st.none() | st.text(),
    },
)
run_keys = st.fixed_dictionaries({}, optional={"seed": st.integers(0, 2**63 - 1), "device": st.text()})
callbacks = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.fixed_dictionaries({"use": st.just("samples")}, optional={"enabled": st.booleans(), "every_steps": st.just(3)}),
    max_size=3,
)


@given(net_keys, net_keys, run_keys, callbacks)
@settings(max_examples=30)
def test_a_resolved_recipe_resolves_to_itself_and_comes_back_from_its_text(
    generator: dict[str, Any], discriminator: dict[str, Any], run: dict[str, Any], named: dict[str, Any]
) -> None:
    recipe = Recipe(extends=RECIPE, generator=generator, discriminator=discriminator, run=run, callbacks=named)
    hold_to_promises(resolve(recipe, REGISTRY), REGISTRY)


def test_the_shipped_recipe_resolves_to_itself_and_comes_back_from_its_text(registry: Registry) -> None:
    hold_to_promises(resolve(Recipe.load("mnist_mlp", registry), registry), registry)


def try_out(recipe: Recipe, registry: Registry) -> str:
    """Resolve a recipe that may be wrong in any way; return the message, or the recipe written out."""
    try:
        resolved = resolve(recipe, registry)
    except GanfwError as error:
        return str(error)
    hold_to_promises(resolved, registry)
    return resolved.to_toml()


SHIPPED = (importlib.resources.files("ganfw.recipes") / "mnist_mlp.toml").read_text(encoding="utf-8")

pieces = st.one_of(
    st.sampled_from("[]{}=.,#\"'\n0123456789-+_: \t"),
    st.sampled_from(
        ['"""', "'''", "true", "nan", "1e400", "0x", "\r\n", "\x00", "\x1b", "1979-05-27", '"é"', "\\u0041"]
    ),
    st.sampled_from(["use", "\nenabled = false\n", "\nextends = ", '"mnist_mlp"', "\n[callbacks.x]\n", "\n[[data]]\n"]),
    st.characters(),
)
edits = st.lists(st.tuples(st.integers(0, len(SHIPPED)), st.integers(0, 9), pieces | st.just("")), max_size=4)


@given(edits)
@example([])
@example([(SHIPPED.index("[run]"), 0, 'extends = "mnist_mlp"\n')])
def test_a_recipe_with_any_slip_of_the_pen_is_resolved_or_refused(
    registry: Registry, edits: list[tuple[int, int, str]]
) -> None:
    text = SHIPPED
    for position, length, piece in edits:
        text = text[:position] + piece + text[position + length :]
    try:
        recipe = Recipe.parse(text, file="f.toml")
    except GanfwError as error:
        told = str(error)
    else:
        told = try_out(recipe, registry)
    assert told


keys = st.sampled_from(
    [
        *["format", "run", "run.seed", "data", "data.use", "noise.z_dim", "generator", "optimizer"],
        *["optimizer.generator", "optimizer.generator.lr", "optimizer.generator.betas"],
        *["callbacks", "callbacks.x", "callbacks.metrics.enabled"],
    ]
)
right_sides = st.text(max_size=5) | st.sampled_from(
    ["1", "-1", "true", "nan", "1e400", "[]", "[0, 0.5]", "{}", "{ use = 'adam' }", "mnist", f"0x{'f' * 5000}"]
)
options = st.text(max_size=5) | st.builds("{}={}".format, keys | st.text(max_size=5), right_sides)


@given(st.lists(options, max_size=4))
def test_options_of_any_text_are_resolved_or_refused(registry: Registry, options: list[str]) -> None:
    try:
        recipe = Recipe.load("mnist_mlp", registry).with_overrides(options)
    except RecipeError as error:
        told = str(error)
    else:
        told = try_out(recipe, registry)
    assert told


def test_a_recipe_of_a_package_means_the_parts_of_that_package(registry: Registry, tmp_path: Path) -> None:
    script = tmp_path / "shadowing.py"
    script.write_text(
        "from ganfw import Part, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    for kind, name in (('loss', 'bce'), ('callback', 'progress'), ('noise', 'normal')):\n"
        "        yield Part(kind=kind, name=name, target='ganfw.builtin.losses:BCE')\n"
    )
    shadowed = discover(scripts=[script])

    resolved = resolve(Recipe.load("mnist_mlp_hinge", shadowed), shadowed)

    assert {part.plugin.distribution for part in resolved.parts.values()} == {"ganfw"}
    with pytest.raises(RecipeError) as caught:
        resolve(Recipe(extends="mnist_mlp", registry=shadowed, loss={"use": "bce"}), shadowed)
    assert "loss 'bce' is offered by 2 plugins\n  write 'ganfw:bce' or 'shadowing.py:bce'" in str(caught.value)
