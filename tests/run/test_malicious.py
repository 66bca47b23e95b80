"""Checkpoints and run directories that a stranger made to do harm: each is refused, and nothing of it is run.

Every attack is made on the command line, with a limit on memory, and is expected to end in one message.
"""

import io
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load, save

import ganfw
from ganfw import Recipe, Registry, open_checkpoint
from ganfw.cli import main

Forge = Callable[..., None]


@pytest.fixture(scope="module")
def original(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of three steps with one checkpoint."""
    recipe = Recipe(
        name="tiny",
        extends="mnist_mlp",
        run={"batch_size": 32, "max_steps": 3, "log_every_steps": 2},
        data={"split": "test"},
        generator={"hidden_dim": 4},
        discriminator={"hidden_dim": 4},
    )
    experiment = ganfw.assemble(ganfw.resolve(recipe, registry))
    directory = ganfw.create_run_directory(tmp_path_factory.mktemp("runs"), experiment)
    ganfw.train(experiment, directory=directory)
    return directory


EVIL = "import pathlib; pathlib.Path('executed').mkdir()\n"


@pytest.fixture
def run(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that run, where a module `evil` can be imported and then leaves a trace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("evil.py").write_text(EVIL)
    return Path(shutil.copytree(original, "run"))


def ganfw_(*arguments: object) -> Result:
    """Run a command, and make sure that nothing evil was run."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert not Path("executed").exists()
    assert "evil" not in sys.modules
    return result


class Evil:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def pickled() -> bytes:
    return pickle.dumps(Evil())


def torch_saved() -> bytes:
    buffer = io.BytesIO()
    torch.save({"0.0.weight": Evil()}, buffer)
    return buffer.getvalue()


def safetensors(header: dict[str, Any], content: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


CHECKPOINT = Path("run/checkpoints/step-000003")
UNOPENED = "run: no checkpoint is left undamaged; "


def rewritten(old: str, new: str, times: int = 1) -> bytes:
    """Return the checkpoint's recipe with some text replaced."""
    text = (CHECKPOINT / "recipe.toml").read_text()
    assert text.count(old) >= 1
    return text.replace(old, new, times).encode()


def restated(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the checkpoint's `state.json` after a change."""
    state = json.loads((CHECKPOINT / "state.json").read_bytes())
    change(state)
    return json.dumps(state).encode()


def retensored(name: str, key: str, tensor: torch.Tensor) -> bytes:
    """Return a safetensors file of the checkpoint with one tensor replaced."""
    tensors = load((CHECKPOINT / name).read_bytes())
    assert key in tensors
    return save({**tensors, key: tensor})


def weights(content: Callable[[], bytes]) -> Callable[[Forge], None]:
    return lambda forge: forge(CHECKPOINT, {"generator.safetensors": content()})


def state(change: Callable[[dict[str, Any]], object]) -> Callable[[Forge], None]:
    return lambda forge: forge(CHECKPOINT, {"state.json": restated(change)})


def recipe(old: str, new: str) -> Callable[[Forge], None]:
    return lambda forge: forge(CHECKPOINT, {"recipe.toml": rewritten(old, new)})


def manifest(**changes: Any) -> Callable[[Forge], None]:
    return lambda forge: forge(CHECKPOINT, **changes)


def extra_file(name: str) -> Callable[[Forge], None]:
    files = {"state.json": {"bytes": 1, "sha256": "0" * 64}, name: {"bytes": 1, "sha256": "0" * 64}}
    return lambda forge: forge(CHECKPOINT, files=files)


def replace(name: str, content: Callable[[], bytes]) -> Callable[[Forge], None]:
    return lambda _: (CHECKPOINT / name).write_bytes(content()) and None


def link(name: str, target: str) -> Callable[[Forge], None]:
    """Put a link to elsewhere instead of a file, which is there now."""

    def attack(_forge: Forge) -> None:
        Path("run", name).rename(target)
        Path("run", name).symlink_to(Path(target).resolve())

    return attack


MLP = f"generator 'mlp' (ganfw {version('ganfw')})"
NOT_WEIGHTS = f"{CHECKPOINT}/generator.safetensors: not a safetensors file: …"
MISFIT = f"{CHECKPOINT}: its weights do not fit the generator of its recipe"
NO_FILE_NAME = rf"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: 'files' must match regex '\\w[\\w.-]*' "
ATTACKS: dict[str, tuple[Callable[[Forge], None], str]] = {
    # A pickle in place of something else
    "a pickle as weights": (weights(pickled), NOT_WEIGHTS),
    "weights of torch.save": (weights(torch_saved), NOT_WEIGHTS),
    "a pickle as state": (
        lambda forge: forge(CHECKPOINT, {"state.json": pickled()}),
        f"{CHECKPOINT}/state.json: not JSON: …",
    ),
    "a pickle as recipe": (
        lambda forge: forge(CHECKPOINT, {"recipe.toml": pickled()}),
        f"{CHECKPOINT}/recipe.toml: not the recipe of a checkpoint: …",
    ),
    "a pickle as manifest": (
        replace("manifest.json", pickled),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: not JSON: …",
    ),
    # Code by name
    "a module as part": (
        recipe('use = "ganfw:normal"', 'use = "evil:Noise"'),
        f"{CHECKPOINT}/recipe.toml:…: no noise is named 'evil:Noise'\n"
        '    use = "evil:Noise"\n'
        "  install its package: pip install evil\n"
        "  see: ganfw parts noise",
    ),
    "a function of os as part": (
        recipe('use = "ganfw:mlp"', 'use = "os.system"'),
        f"{CHECKPOINT}/recipe.toml:…: no generator is named 'os.system'\n"
        '    use = "os.system"\n'
        "  see: ganfw parts generator",
    ),
    "a function of builtins as part": (
        recipe('use = "ganfw:normal"', 'use = "builtins:exec"'),
        f"{CHECKPOINT}/recipe.toml:…: no noise is named 'builtins:exec'\n"
        '    use = "builtins:exec"\n'
        "  install its package: pip install builtins\n"
        "  see: ganfw parts noise",
    ),
    "a class of torch as part": (
        recipe('use = "ganfw:mlp"', 'use = "torch.nn:Linear"'),
        f"{CHECKPOINT}/recipe.toml:…: no generator is named 'torch.nn:Linear'\n"
        '    use = "torch.nn:Linear"\n'
        "  install its package: pip install torch.nn\n"
        "  see: ganfw parts generator",
    ),
    "a call in the state": (
        state(lambda trees: trees.update(generator={"$call": "os.system"})),
        f"{CHECKPOINT}/state.json: the saved state has an entry that cannot be read: {{'$call': 'os.system'}}",
    ),
    # Paths that lead elsewhere
    "a recipe that reads other files": (
        lambda forge: forge(CHECKPOINT, {"recipe.toml": b'extends = "/etc/passwd"\n'}),
        f"{CHECKPOINT}/recipe.toml: not the recipe of a checkpoint: "
        f"{CHECKPOINT}/recipe.toml:1: extends is not allowed here; write the whole recipe\n"
        '    extends = "/etc/passwd"',
    ),
    "a file beside the checkpoint": (extra_file("../x"), f"{NO_FILE_NAME}('../x' doesn't)"),
    "a file anywhere": (extra_file("/etc/passwd"), f"{NO_FILE_NAME}('/etc/passwd' doesn't)"),
    "a file in a folder": (extra_file("a/b"), f"{NO_FILE_NAME}('a/b' doesn't)"),
    "a hidden file": (extra_file(".x"), f"{NO_FILE_NAME}('.x' doesn't)"),
    "a file of no name": (extra_file(""), f"{NO_FILE_NAME}('' doesn't)"),
    "a link as weights": (
        link("checkpoints/step-000003/generator.safetensors", "elsewhere"),
        f"{UNOPENED}{CHECKPOINT}/generator.safetensors: not an ordinary file",
    ),
    "a link as manifest": (
        link("checkpoints/step-000003/manifest.json", "elsewhere"),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: not an ordinary file",
    ),
    "a name that leaves the folder of runs": (
        manifest(name="../../evil"),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: a recipe cannot be called '../../evil', for its runs are "
        "named after it",
    ),
    "a name that a terminal obeys": (
        manifest(name="tiny\x1b[2J"),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: a recipe cannot be called 'tiny\\x1b[2J', for its runs are "
        "named after it",
    ),
    "a message that a terminal obeys": (
        state(lambda trees: trees["generator"].update({"\x1b[2J": trees["generator"].pop("0.0.bias")})),
        f"{MISFIT}: '\\x1b[2J' is (4,) float32, not missing",
    ),
    # Claims beyond all measure
    "a header of terabytes": (weights(lambda: safetensors({}, length=1 << 45)), NOT_WEIGHTS),
    "a tensor of terabytes": (
        weights(lambda: safetensors({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}})),
        NOT_WEIGHTS,
    ),
    "a tensor of nothing and more than all": (
        weights(lambda: safetensors({"a": {"dtype": "F32", "shape": [1 << 63, 0], "data_offsets": [0, 0]}})),
        NOT_WEIGHTS,
    ),
    "a file of an exabyte": (
        manifest(files={"state.json": {"bytes": 1 << 60, "sha256": "0" * 64}}),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: 'bytes' must be <= 17179869184: 1152921504606846976",
    ),
    "a file said to be larger than memory": (
        manifest(files={"state.json": {"bytes": 16 << 30, "sha256": "0" * 64}}),
        f"{UNOPENED}{CHECKPOINT}/state.json: damaged: it is not what the manifest says",
    ),
    "a manifest without end": (
        replace("manifest.json", lambda: b" " * ((1 << 20) + 1)),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: larger than 1048576 bytes",
    ),
    "a recipe without end": (
        lambda forge: forge(CHECKPOINT, {"recipe.toml": b"#" * 65537}),
        f"{CHECKPOINT}/recipe.toml: not the recipe of a checkpoint: {CHECKPOINT}/recipe.toml: too large for a recipe, "
        "which must be at most 65536 bytes",
    ),
    "JSON without end": (
        lambda forge: forge(CHECKPOINT, {"state.json": b"[" * 100_000}),
        f"{CHECKPOINT}/state.json: not JSON: maximum recursion depth exceeded…",
    ),
    "a manifest without end inside": (
        replace("manifest.json", lambda: b"[" * 100_000),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: not JSON: maximum recursion depth exceeded…",
    ),
    "a network of terabytes": (
        recipe("hidden_dim = 4", "hidden_dim = 1000000000"),
        f"{MISFIT}, with (1000000000, 64) float32",
    ),
    "a network larger than its weights": (
        recipe("hidden_dim = 4", "hidden_dim = 5"),
        f"{MISFIT}: '0.0.bias' is (4,) float32, not (5,) float32",
    ),
    "noise of terabytes": (
        recipe("z_dim = 64", "z_dim = 1000000000000"),
        f"{CHECKPOINT}: the noise of its recipe has 1000000000000 dimensions, not 64",
    ),
    "noise of terabytes in the manifest": (
        manifest(z_dim=10**12),
        f"{CHECKPOINT}: the noise of its recipe has 64 dimensions, not 1000000000000",
    ),
    "samples of terabytes": (
        manifest(sample_shape=[1 << 20, 1 << 20, 4]),
        f"{MISFIT}, with (4398046511104, 32) float32",
    ),
    "samples of too many dimensions": (
        manifest(sample_shape=[1] * 99 + [784]),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: Length of 'sample_shape' must be <= 32: 100",
    ),
    "a seed of more than 64 bits": (
        manifest(seed=1 << 64),
        f"{UNOPENED}{CHECKPOINT}/manifest.json: damaged: seed must be an integer >= 0, not 18446744073709551616",
    ),
    "a state of many megabytes": (
        lambda forge: forge(CHECKPOINT, {"state.json": b"{}".ljust((64 << 20) + 1)}),
        f"{CHECKPOINT}/state.json: larger than {64 << 20} bytes",
    ),
    # Weights that are none
    "weights that are not finite": (
        weights(lambda: retensored("generator.safetensors", "0.0.bias", torch.tensor([0, 0, 0, float("nan")]))),
        f"{CHECKPOINT}/generator.safetensors: '0.0.bias' is not finite",
    ),
    "weights of another type": (
        weights(lambda: retensored("generator.safetensors", "0.0.bias", torch.zeros(4, dtype=torch.int32))),
        f"{MISFIT}: '0.0.bias' is (4,) int32, not (4,) float32",
    ),
    "no states": (lambda forge: forge(CHECKPOINT, {"state.json": b"[1]"}), f"{CHECKPOINT}/state.json: holds no states"),
    "no state of the generator": (
        state(lambda trees: trees.pop("generator")),
        f"{CHECKPOINT}: holds no state of 'generator'",
    ),
    "no weights of the generator": (
        state(lambda trees: trees.update(generator=[1])),
        f"{CHECKPOINT}: holds no weights of the generator",
    ),
    "too few weights": (
        state(lambda trees: trees["generator"].pop("0.0.bias")),
        f"{MISFIT}: '0.0.bias' is missing, not (4,) float32",
    ),
}


def assert_refused(result: Result, message: str) -> None:
    expected = re.escape(f"Error: {message}\n").replace("…", "[^\n]+")
    assert re.fullmatch(expected, result.stderr), result.stderr
    assert result.exit_code == 2
    assert result.stdout == ""


@pytest.mark.usefixtures("little_memory", "run")
@pytest.mark.parametrize("command", ["sample", "resume"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_malicious_checkpoint_is_refused(forge: Forge, attack: str, command: str) -> None:
    do_harm, message = ATTACKS[attack]
    do_harm(forge)

    assert_refused(ganfw_(command, "run"), message)


@pytest.mark.slow
@pytest.mark.usefixtures("little_memory", "run")
def test_a_file_of_more_gigabytes_than_there_is_memory_is_refused(forge: Forge) -> None:
    os.truncate(CHECKPOINT / "generator.safetensors", 2 << 30)  # it takes no room on the disk
    files = json.loads((CHECKPOINT / "manifest.json").read_bytes())["files"]
    files["generator.safetensors"]["bytes"] = 2 << 30
    forge(CHECKPOINT, files=files)

    message = f"{UNOPENED}{CHECKPOINT}/generator.safetensors: damaged: it is not what the manifest says"
    assert_refused(ganfw_("sample", "run"), message)


def test_samples_beyond_all_integers_are_refused(run: Path, forge: Forge) -> None:
    forge(CHECKPOINT, sample_shape=[1 << 62, 4])

    assert_refused(ganfw_("sample", run), f"{CHECKPOINT}: its recipe cannot be built: {MLP} cannot be built: …")


def optimizer(key: str, tensor: torch.Tensor) -> Callable[[Forge], None]:
    name = "optimizer.generator.safetensors"
    return lambda forge: forge(CHECKPOINT, {name: retensored(name, key, tensor)})


def moments(change: Callable[[dict[str, Any]], object]) -> Callable[[Forge], None]:
    """Change what the generator's optimizer remembers of its first parameter."""
    return state(lambda trees: change(trees["optimizer.generator"]["state"]["$items"][0][1]))


def option(name: str, value: Any) -> Callable[[Forge], None]:
    return state(lambda trees: trees["optimizer.generator"]["param_groups"][0].update({name: value}))


def random_state(**changes: Any) -> Callable[[Forge], None]:
    return state(lambda trees: trees["training"]["random"]["global"].update(changes))


NOT_CONTINUED = f"{CHECKPOINT}: no run can continue from it: "
NOT_TRAINED = f"{CHECKPOINT}: holds no state of the training at step 3"
OTHER_OPTIONS = f"{CHECKPOINT}: the state of 'optimizer.generator' is of an optimizer with other options"
OTHER_PARAMETER = f"{CHECKPOINT}: the state of 'optimizer.generator' does not fit its parameter 0"
NO_MEANS = f"{CHECKPOINT}: the state of the running means does not fit"
TO_RESUME: dict[str, tuple[Callable[[Forge], None], str]] = {
    "a discriminator of terabytes": (
        lambda forge: forge(CHECKPOINT, {"recipe.toml": larger_discriminator()}),
        f"{CHECKPOINT}: its weights do not fit the discriminator of its recipe, with (4000000000, 784) float32",
    ),
    "a generator beyond all integers": (
        recipe("hidden_dim = 4", f"hidden_dim = {1 << 62}"),
        f"{MLP} cannot be built: RuntimeError: Storage size calculation overflowed with sizes=[{1 << 62}, 64]; "
        "check its sizes",
    ),
    "samples of another shape": (
        manifest(sample_shape=[1 << 62, 4]),
        f"{CHECKPOINT}: it was saved with samples of shape (4611686018427387904, 4); "
        "the data has (1, 28, 28), which must be the same",
    ),
    # torch's fused kernels would write beyond the tensor, or read where there is none
    "a moment of another shape": (optimizer("state.0.exp_avg", torch.zeros(3)), OTHER_PARAMETER),
    "a moment of another type": (optimizer("state.0.exp_avg", torch.zeros(4, 64).double()), OTHER_PARAMETER),
    "an empty count of steps": (optimizer("state.0.step", torch.zeros(0)), OTHER_PARAMETER),
    "a moment that is missing": (moments(lambda state: state.pop("exp_avg")), OTHER_PARAMETER),
    "a moment that is no tensor": (moments(lambda state: state.update(exp_avg=[1.0])), OTHER_PARAMETER),
    "a moment too many": (moments(lambda state: state.update(more=state["exp_avg"])), OTHER_PARAMETER),
    "a moment that is not finite": (
        optimizer("state.0.exp_avg", torch.full((4, 64), float("inf"))),
        f"{CHECKPOINT}/optimizer.generator.safetensors: 'state.0.exp_avg' is not finite",
    ),
    "another kernel": (option("fused", None), OTHER_OPTIONS),
    "another option": (option("amsgrad", True), OTHER_OPTIONS),
    "a rate that is no number": (option("lr", "fast"), OTHER_OPTIONS),
    "no rate": (option("betas", [0.9]), OTHER_OPTIONS),
    "other parameters": (option("params", [1, 0]), OTHER_OPTIONS),
    "no optimizer": (
        state(lambda trees: trees.update({"optimizer.generator": {}})),
        f"{CHECKPOINT}: the state of 'optimizer.generator' is not of this optimizer",
    ),
    "no discriminator": (
        state(lambda trees: trees.pop("discriminator")),
        f"{CHECKPOINT}: holds no state of 'discriminator'",
    ),
    "one part more": (
        state(lambda trees: trees.update(loss={})),
        f"{CHECKPOINT}: the checkpoint is of an experiment with another part 'loss'; make the same experiment",
    ),
    # NumPy would read eight gigabytes beyond its numbers
    "a random position beyond the numbers": (
        state(lambda trees: trees["training"]["random"]["global"]["numpy"]["state"].update(pos=10**9)),
        f"{NOT_CONTINUED}ValueError: NumPy's generator has no position 1000000000",
    ),
    "random numbers of no generator": (random_state(python=[]), f"{NOT_CONTINUED}IndexError: list index out of range"),
    "no random numbers": (random_state(torch=None), f"{NOT_CONTINUED}TypeError: …"),
    "another step": (state(lambda trees: trees["training"].update(step=7)), NOT_TRAINED),
    "time that is not finite": (state(lambda trees: trees["training"].update(seconds={"$float": "inf"})), NOT_TRAINED),
    "means that a terminal obeys": (state(lambda trees: trees["training"]["means"].update({"\x1b": 1.0})), NOT_TRAINED),
    "no training": (state(lambda trees: trees.pop("training")), NOT_TRAINED),
    "running means without steps": (
        state(lambda trees: trees["training"]["running_means"].update(steps={"loss/generator": 0})),
        NO_MEANS,
    ),
    "running means of no numbers": (
        state(lambda trees: trees["training"]["running_means"]["sums"].update({"loss/generator": 1})),
        NO_MEANS,
    ),
    "running means of other names": (
        state(lambda trees: trees["training"]["running_means"]["steps"].update(a=1)),
        NO_MEANS,
    ),
    "metrics of less than nothing": (
        state(lambda trees: trees["callbacks.metrics"].update(bytes=-1)),
        f"{CHECKPOINT}: metrics.jsonl cannot be -1 bytes long",
    ),
}


def larger_discriminator() -> bytes:
    first, second, rest = (CHECKPOINT / "recipe.toml").read_text().split("hidden_dim = 4")
    return f"{first}hidden_dim = 4{second}hidden_dim = 1000000000{rest}".encode()


@pytest.mark.usefixtures("little_memory", "run")
@pytest.mark.parametrize("attack", TO_RESUME)
def test_a_malicious_checkpoint_is_not_resumed_from(forge: Forge, attack: str) -> None:
    do_harm, message = TO_RESUME[attack]
    do_harm(forge)

    assert_refused(ganfw_("resume", "run"), message)


# What does no harm, and is not refused


def test_what_the_manifest_says_of_parts_is_recorded_and_never_imported(run: Path, forge: Forge) -> None:
    parts = json.loads((CHECKPOINT / "manifest.json").read_bytes())["parts"]
    forge(CHECKPOINT, parts={name: {**part, "target": "evil:main"} for name, part in parts.items()})

    assert ganfw_("sample", run).exit_code == 0
    assert ganfw_("resume", run).exit_code == 0


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "", "step-000003/../../../elsewhere", "x" * 10_000, "\0"])
def test_latest_names_a_checkpoint_of_the_run_or_nothing(run: Path, name: str) -> None:
    shutil.copytree(CHECKPOINT, "elsewhere")
    (run / "checkpoints" / "latest").write_text(name)

    assert open_checkpoint(run).path == CHECKPOINT
    assert ganfw_("sample", run).exit_code == 0


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_latest_is_a_file_or_is_not_read(run: Path, kind: str) -> None:
    latest = run / "checkpoints" / "latest"
    latest.unlink()
    if kind == "link":
        latest.symlink_to("/dev/zero")
    else:
        os.mkfifo(latest)

    assert open_checkpoint(run).path == CHECKPOINT
    assert ganfw_("sample", run).exit_code == 0


def test_a_checkpoint_that_is_a_link_is_none(run: Path) -> None:
    CHECKPOINT.rename("elsewhere")
    CHECKPOINT.symlink_to(Path("elsewhere").resolve())

    assert_refused(
        ganfw_("sample", run), "run: neither a checkpoint nor a run directory with one in it; see: ganfw runs"
    )


# Other files of a run directory


@pytest.mark.parametrize(
    "name", ["metrics.jsonl", "samples", "checkpoints", ".lock", "environment.json", "samples/x.png"]
)
def test_a_run_that_would_be_written_to_elsewhere_is_not_resumed(run: Path, name: str) -> None:
    Path("mine").mkdir()
    Path("mine", "precious").write_text("precious")
    path = run / name
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(Path("mine" if name in ("samples", "checkpoints") else "mine/precious").resolve())

    result = ganfw_("resume", run, "--set", "run.max_steps=5")

    assert_refused(
        result, f"{path}: neither a file nor a folder, so a run would be written through it to elsewhere; remove it"
    )
    assert [path.read_text() for path in Path("mine").iterdir()] == ["precious"]


def test_a_run_with_a_pipe_is_not_waited_for(run: Path) -> None:
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")

    assert_refused(
        ganfw_("resume", run),
        "run/metrics.jsonl: neither a file nor a folder, so a run would be written through it to elsewhere; remove it",
    )


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "cannot be read: maximum recursion depth exceeded…"),
        (b'{"resumed": "often"}', "cannot be read: 'str' object has no attribute 'append'"),
        (b" " * (16 << 20) + b"{}", "larger than 16777216 bytes"),
        (pickled(), "cannot be read: 'utf-8' codec can't decode byte…"),
    ],
    ids=["deep", "another type", "large", "pickle"],
)
def test_a_malicious_environment_is_refused(run: Path, content: bytes, reason: str) -> None:
    (run / "environment.json").write_bytes(content)

    assert_refused(ganfw_("resume", run), f"run/environment.json: {reason}")


def test_a_run_without_checkpoints_reads_no_other_recipe(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "recipe.toml").write_text('extends = "/etc/passwd"\n')

    assert_refused(
        ganfw_("resume", run),
        'run/recipe.toml:1: extends is not allowed here; write the whole recipe\n    extends = "/etc/passwd"',
    )


# Recipes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('plugin = "evil.py"\n', "1: unknown key 'plugin'\n    plugin = \"evil.py\""),
        ("[plugins]\nevil = 'evil.py'\n", "1: unknown table [plugins]\n    [plugins]"),
        (
            '[loss]\nuse = "evil.py:main"\n',
            "2: no loss is named 'evil.py:main'\n    use = \"evil.py:main\"\n"
            "  it is of a script: give it with --plugin evil.py",
        ),
        ('[data]\nuse = "evil"\n', "2: no data is named 'evil'\n    use = \"evil\""),
        ('[loss]\nuse = "ganfw.builtin.losses:BCE"\n', "2: no loss is named 'ganfw.builtin.losses:BCE'"),
    ],
)
def test_a_recipe_loads_no_plugin(run: Path, text: str, problem: str) -> None:
    Path("stranger.toml").write_text('extends = "mnist_mlp"\n' + text)

    result = ganfw_("check", "stranger.toml")

    assert result.exit_code == 2
    line, _, rest = problem.partition(":")
    assert result.stderr.startswith(f"Error: stranger.toml:{int(line) + 1}:{rest}")


# The real command, in a process of its own


@pytest.mark.parametrize("command", ["sample", "resume"])
def test_a_pickle_is_refused_by_a_real_process(run: Path, forge: Forge, command: str) -> None:
    forge(CHECKPOINT, {"generator.safetensors": pickled()})

    done = subprocess.run([sys.executable, "-m", "ganfw", command, "run"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {CHECKPOINT}/generator.safetensors: not a safetensors file: ")
    assert done.stderr.count("\n") == 1
    assert not Path("executed").exists()
