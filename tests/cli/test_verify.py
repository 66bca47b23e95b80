"""`ganfw verify` trains recipes and compares, says what is missed, and keeps nothing that was not asked for."""

import json
import tempfile
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from ganfw import Part, Registry
from ganfw.cli import main
from ganfw.plugins.registry import Plugin

WIDE = """
extends = "ring_mlp"

[generator]
hidden_dim = 4

[discriminator]
hidden_dim = 4

[expect.quick]
steps = 20
samples = 100
seeds = [1, 2, 3]

[expect.quick.within]
frechet_distance = [0, 100]
"loss/generator" = [0, 100]
"""


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANFW_PLUGINS", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    Path("wide.toml").write_text(WIDE)
    Path("high.toml").write_text(WIDE.replace("[0, 100]", "[50, 100]", 1))


def verify(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["verify", *arguments])


def refusal(*arguments: str) -> str:
    result = verify(*arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    return result.stderr


@pytest.mark.slow
def test_a_recipe_that_has_its_results_passes(tmp_path: Path) -> None:
    result = verify("wide.toml", "--quick")

    assert result.exit_code == 0, result.output
    head, distance, loss = [line.split() for line in result.stdout.splitlines()]
    assert head == ["recipe", "result", "value", "expected"]
    assert (distance[:2], distance[3:]) == (["wide", "frechet_distance"], ["0", "to", "100", "as", "expected"])
    assert (loss[0], loss[2:]) == ("loss/generator", ["0", "to", "100", "as", "expected"])
    assert result.stderr.endswith("\n1 of 1 as expected\n")
    assert {path.name for path in tmp_path.iterdir()} == {"wide.toml", "high.toml"}, "the runs are removed"


@pytest.mark.slow
def test_two_more_seeds_decide_and_the_runs_are_kept_and_taken_again() -> None:
    result = verify("high.toml", "wide.toml", "--quick", "--jobs", "2", "--out", "kept", "--json")

    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    distance, loss = found["high"]
    assert (distance["result"], distance["within"], distance["passed"]) == ("frechet_distance", [50, 100], False)
    assert len(set(distance["values"])) == len(distance["values"]) == 3
    assert loss["passed"]
    assert [len(check["values"]) for check in found["wide"]] == [1, 1]
    assert "\noutside a band: high; 2 more seeds decide\n" in result.stderr
    assert result.stderr.endswith("\n1 of 2 as expected; not high\n")
    again = verify("high.toml", "wide.toml", "--quick", "--out", "kept", "--json")

    assert (again.exit_code, json.loads(again.stdout)) == (1, found)
    assert "finished" not in again.stderr, "nothing is trained again"


@pytest.mark.slow
def test_a_run_that_fails_is_a_miss_with_its_reason() -> None:
    result = verify("wide.toml", "--quick", "--set", "optimizer.generator.lr=1e30")

    assert result.exit_code == 1, result.output
    assert result.stdout.count("no value") == 2
    assert result.stderr.count("\nfailed: wide,quick,seed=") == 3
    assert result.stderr.endswith("\n0 of 1 as expected; not wide\n")


BROKEN = """
from ganfw import Part, hookimpl


class FlippedSign:
    \"\"\"The relativistic loss, but the generator makes its fakes worse.\"\"\"

    def __init__(self) -> None:
        from torch.nn.functional import softplus

        self.softplus = softplus

    def discriminator(self, real_logits, fake_logits):
        return self.softplus(fake_logits - real_logits).mean()

    def generator(self, fake_logits):
        return self.softplus(fake_logits).mean()


class OfRealsOnly:
    \"\"\"Moves the real samples, and forgets the fakes.\"\"\"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, samples, random, /):
        self.calls += 1
        return samples + 0.3 if self.calls % 2 else samples


@hookimpl
def ganfw_parts():
    yield Part(kind="loss", name="flipped", target=f"{__name__}:FlippedSign", help="a wrong sign")
    yield Part(kind="augmentation", name="of_reals", target=f"{__name__}:OfRealsOnly", help="reals only")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "overrides"),
    [
        ("rates", ("optimizer.generator.lr=2e-2", "optimizer.discriminator.lr=2e-2")),
        ("sign", ("loss.use=flipped",)),
        ("augmentation", ("augmentations.moved.use=of_reals",)),
    ],
)
def test_a_recipe_that_is_broken_misses_what_it_expects(fault: str, overrides: tuple[str, ...]) -> None:
    script = Path(f"of_wrong_{fault}.py")
    script.write_text(BROKEN)
    options = [word for each in overrides for word in ("--set", each)]

    result = verify("ring_mlp", "--quick", "--jobs", "2", "--plugin", str(script), *options)

    assert result.exit_code == 1, result.output
    assert "too high by" in result.stdout
    assert result.stderr.endswith("\n0 of 1 as expected; not ring_mlp\n")


def test_a_recipe_that_expects_nothing_is_refused() -> None:
    assert refusal("wide.toml") == (
        "Error: wide.toml: it has no [expect.full], so there is nothing to compare its results with; "
        "make one with: ganfw table SWEEP --format expect\n"
    )


@pytest.mark.slow
def test_a_broken_recipe_of_a_package_is_a_miss_and_the_others_are_verified(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "recipes_y"
    package.mkdir()
    (package / "__init__.py").write_text("")
    resolved = CliRunner().invoke(main, ["show", "wide.toml"]).stdout
    (package / "wide.toml").write_text(resolved + WIDE[WIDE.index("[expect.quick]") :])
    (package / "odd.toml").write_text("[run]\nepoch = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    own = [evolve(each, parts=tuple(part for part in each.parts if part.kind != "recipe")) for each in registry.plugins]
    (package / "far.toml").write_text('[data]\nuse = "ganfw-x:photos"\n[loss]\nuse = "Ganfw_W:soft"\n')
    names = ("odd", "far", "wide")
    recipes = tuple(Part(kind="recipe", name=name, target=f"recipes_y:{name}.toml") for name in names)
    with_recipes = Registry((*own, Plugin("ganfw-y", "1.0", "recipes_y", recipes)))
    monkeypatch.setattr("ganfw.cli.options.discover", lambda **_: with_recipes)

    result = verify("--quick")

    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(
        "broken: ganfw-y:odd: 3 problems in recipe 'odd'\n\nganfw-y:odd:2: unknown key 'epoch' of [run]\n"
    )
    assert "\nnot verified: ganfw-y:far: it needs Ganfw_W, ganfw-x: not installed\n" in result.stderr
    assert result.stderr.endswith("\n1 of 2 as expected; not ganfw-y:odd\n")


def test_a_folder_with_other_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")

    assert refusal("wide.toml", "--quick", "--out", "kept") == (
        "Error: kept: no runs can be written here: File exists; choose another with --out\n"
    )
