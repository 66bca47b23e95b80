"""Mutated checkpoints and recipes, 10,000 in all: each is refused in a few lines, or loads as what it says it is."""

import copy
import importlib.resources
import json
import math
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import ganfw
from ganfw import GanfwError, Recipe, Registry, open_checkpoint, resume_training
from ganfw.cli import main

Forge = Callable[..., None]

SECONDS = 2.0
"""What one case may take of the processor; most take a few milliseconds."""
pytestmark = pytest.mark.usefixtures("little_memory")


def cases(few: int, all_of_them: int) -> pytest.MarkDecorator:
    """Run a test with a few cases, and where slow tests run with all."""
    return pytest.mark.parametrize("count", [few, pytest.param(all_of_them, marks=pytest.mark.slow)])


class TooSlow(BaseException):
    """A case has taken its time; no `except Exception` stops this."""


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def refusal(load: Callable[[], object]) -> str:
    """Return the message with which loading is refused, or `""`; anything but a `GanfwError` fails the test."""
    try:
        with time_limit():
            load()
    except GanfwError as error:
        message = str(error)
        assert message
        assert len(message) < 20_000
        return message
    return ""


# Mutations


def a_range(rng: random.Random, content: bytes) -> slice:
    """Choose a range of bytes, more often a short one."""
    start = rng.randrange(len(content))
    return slice(start, start + math.ceil(2 ** (rng.random() * math.log2(len(content)))))


def damaged(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """Return other bytes than these, made from them, or from another file."""
    while True:
        here, there = a_range(rng, content), a_range(rng, content)
        flipped = bytearray(content)
        for _ in range(rng.choice([1, 1, 1, 8])):
            flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        choices = [
            bytes(flipped),
            content[: here.start],
            content[: here.start] + content[here.stop :],
            content[: here.start] + content[there] + content[here.start :],
            content[: here.start] + content[there] + content[here.stop :],
            content[: here.start] + bytes(here.stop - here.start) + content[here.stop :],
            content + rng.randbytes(rng.choice([1, 100])),
            other,
        ]
        result = rng.choice(choices)
        if result != content:
            return result


DEEP = "\x00deep"
VALUES: list[Any] = [
    *[None, True, -1, 0, 1, 2, 7, 1 << 31, 1 << 40, 1 << 62, 1 << 63, 1 << 64, 10**400, 0.5, -0.0, 1e400, math.nan],
    *[
        "",
        "x",
        "nan",
        "step",
        "../x",
        "/etc/passwd",
        "\x1b[2J\n",
        "\ud800",
        "F64",
        "I8",
        "C64",
        "os:system",
        "y" * 9999,
    ],
    *[[], {}, [[]], [1 << 40] * 3, [1] * 100, {"$tensor": "x"}, {"$float": "nan"}, {"$tuple": [1]}, {"$tuple": 1}],
    *[{"$items": [[1, 2]]}, {"$items": [[[], 1]]}, {"$items": [[0, {"step": 1}]]}, {"$x": 1}, DEEP],
]


def nodes(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from nodes(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def restructured(rng: random.Random, value: Any) -> Any:
    """Return a JSON value with another structure: values, types, keys and order changed in a place or two."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice([1, 1, 2])):
        paths = list(nodes(value))
        if not paths:
            break
        # A depth is chosen first, or the thousand numbers of a random state would take nearly all mutations.
        depth = rng.choice(sorted({len(path) for path in paths}))
        path, other = rng.choice([path for path in paths if len(path) == depth]), rng.choice(paths)
        parent, key = at(value, path[:-1]), path[-1]
        match rng.randrange(6):
            case 0 | 1:
                parent[key] = rng.choice(VALUES)
            case 2:
                del parent[key]
            case 3:
                parent[key] = copy.deepcopy(at(value, other))
            case 4 if isinstance(parent, dict):
                parent[rng.choice(["x", "$tensor", "$items", f"{key}'", "\x1b", ""])] = parent.pop(key)
            case 5 if isinstance(parent[key], int | float):
                parent[key] = parent[key] * rng.choice([-1, 2, 1000]) + rng.choice([0, 1, 0.5])
            case _:
                parent[key] = [parent[key]]
    return value


def to_json(rng: random.Random, value: Any) -> bytes:
    depth = rng.choice([100, 900, 100_000])
    return json.dumps(value).replace(json.dumps(DEEP), "[" * depth + "]" * depth).encode()


def with_other_header(rng: random.Random, content: bytes) -> bytes:
    """Change the header of a safetensors file, or what it says of its length."""
    length = int.from_bytes(content[:8], "little")
    header = to_json(rng, restructured(rng, json.loads(content[8 : 8 + length])))
    said = rng.choice([len(header)] * 8 + [0, len(header) + 1, 1 << 30, (1 << 64) - 1])
    return said.to_bytes(8, "little") + header + content[8 + length :]


def with_other_forms(rng: random.Random, content: bytes) -> bytes:
    """Change shape or dtype of a tensor in a safetensors file to others of as many bytes."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    tensor = header[rng.choice(sorted(header))]
    shape = tensor["shape"]
    tensor["shape"] = rng.choice([[math.prod(shape)], [1, *shape], shape[::-1], [*shape, 1], [math.prod(shape), 1]])
    others = {"F32": "I32", "F64": "C64", "I64": "F64", "U8": "I8"}
    tensor["dtype"] = rng.choice([tensor["dtype"], others[tensor["dtype"]]])
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def with_other_numbers(rng: random.Random, content: bytes) -> bytes:
    """Change the tensors of a safetensors file and leave its header as it is."""
    start = 8 + int.from_bytes(content[:8], "little")
    return content[:start] + damaged(rng, content[start:], bytes(len(content) - start))


# Checkpoints


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """Return a recipe whose runs write nothing but metrics."""
    return Recipe(
        name="fuzz",
        extends="mnist_mlp",
        run={"batch_size": 32, "max_steps": 3, "log_every_steps": 2, "device": "cpu"},
        data={"use": "few_digits"},
        generator={"hidden_dim": 2},
        discriminator={"hidden_dim": 2},
        callbacks={name: {"enabled": False} for name in ("samples", "progress", "checkpoint")},
    )


@pytest.fixture(scope="module")
def original(recipe: Recipe, scripted_registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with a checkpoint after step 1 and one after step 2."""
    experiment = ganfw.assemble(ganfw.resolve(recipe, scripted_registry))
    directory = ganfw.create_run_directory(tmp_path_factory.mktemp("runs"), experiment)
    for step in (1, 2):
        training = ganfw.train(experiment, steps=step, directory=directory)
        training.step = step
        ganfw.save_checkpoint(training)
    return directory


@cases(100, 4000)
def test_a_damaged_checkpoint_is_passed_over_and_never_loaded(original: Path, tmp_path: Path, count: int) -> None:
    run = shutil.copytree(original, tmp_path / "run")
    newest, older = run / "checkpoints" / "step-000002", run / "checkpoints" / "step-000001"
    whole = open_checkpoint(run).manifest
    names = sorted(path.name for path in newest.iterdir())
    outcomes: Counter[str] = Counter()
    for case in range(count):
        rng = random.Random(case)
        path = newest / rng.choice(names)
        before = path.read_bytes()
        other = rng.choice([b"", (newest / rng.choice(names)).read_bytes(), (older / path.name).read_bytes()])
        path.write_bytes(damaged(rng, before, other))

        with time_limit():
            checkpoint = open_checkpoint(run)

        if checkpoint.path == newest:  # what is between the words of the manifest may change, and no more
            assert path.name == "manifest.json"
            assert (checkpoint.manifest, checkpoint.skipped) == (whole, ())
            outcomes["same"] += 1
        else:
            assert checkpoint.path == older
            assert len(checkpoint.skipped) == 1
            assert checkpoint.skipped[0].startswith(f"{newest}/")
            assert "\n" not in checkpoint.skipped[0]
            outcomes["passed over"] += 1
        path.write_bytes(before)
    assert open_checkpoint(run).manifest == whole
    assert outcomes.total() == count
    assert outcomes["passed over"] > 0.95 * count


def forged(rng: random.Random, checkpoint: Path) -> dict[str, bytes]:
    """Return a file of a checkpoint as a forger might write it."""
    tensors = sorted(path.name for path in checkpoint.glob("*.safetensors"))
    name = rng.choice(["manifest.json", "state.json", "state.json", "recipe.toml", *tensors])
    content = (checkpoint / name).read_bytes()
    if name == "recipe.toml":
        return {name: rewritten(rng, content.decode()).encode(errors="surrogatepass")}
    if rng.random() < 0.1:
        return {name: damaged(rng, content, b"")}
    if name.endswith(".json"):
        return {name: to_json(rng, restructured(rng, json.loads(content)))}
    return {name: rng.choice([with_other_header, with_other_forms, with_other_numbers])(rng, content)}


def assert_same_forms(actual: torch.nn.Module, expected: torch.nn.Module) -> None:
    """Assert that two networks have tensors of the same names, shapes and dtypes, all finite."""
    tensors, others = actual.state_dict(), expected.state_dict()
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert (tensor.shape, tensor.dtype) == (others[name].shape, others[name].dtype)
        assert torch.isfinite(tensor).all()


@cases(25, 1000)
def test_a_forged_checkpoint_is_refused_or_loads_what_fits_its_parts(
    original: Path, recipe: Recipe, scripted_registry: Registry, forge: Forge, tmp_path: Path, count: int
) -> None:
    expected = ganfw.assemble(ganfw.resolve(recipe, scripted_registry))
    outcomes: Counter[str] = Counter()
    for case in range(count):
        rng = random.Random(case)
        run = shutil.copytree(original, tmp_path / f"run-{case}", ignore=shutil.ignore_patterns("step-000001"))
        checkpoint = run / "checkpoints" / "step-000002"
        files = forged(rng, checkpoint)
        manifest = files.pop("manifest.json", None)
        if manifest is not None:
            (checkpoint / "manifest.json").write_bytes(manifest)
            try_to_reseal(forge, checkpoint)
        else:
            forge(checkpoint, files)

        def load_to_sample(run: Path = run) -> None:
            source = open_checkpoint(run).source(scripted_registry, "cpu")
            ganfw.image_grid(source.sample(2))
            assert_same_forms(source.networks["generator"], expected.networks["generator"])

        def load_to_train(run: Path = run, runs: bool = "recipe.toml" not in files) -> None:
            training, _ = resume_training(run, scripted_registry, ["run.max_steps=3"])
            for name in ("generator", "discriminator"):
                assert_same_forms(training.experiment.networks[name], expected.networks[name])
            if runs:  # a recipe may ask for any amount of work
                training.run()

        for load in (load_to_sample, load_to_train)[: 2 if rng.random() < 0.4 else 1]:
            outcomes["refused" if refusal(load) else "loaded"] += 1
        outcomes["cases"] += 1
        shutil.rmtree(run)
    assert outcomes["cases"] == count
    assert outcomes["refused"] > 0.3 * count
    assert outcomes["loaded"] > 0.1 * count


def try_to_reseal(forge: Forge, checkpoint: Path) -> None:
    """Make a manifest vouch for itself, if it is still one that can."""
    with suppress(ValueError, RecursionError, TypeError, KeyError):
        forge(checkpoint)


# Recipes

SHIPPED = (importlib.resources.files("ganfw.recipes") / "mnist_mlp.toml").read_text(encoding="utf-8")
PIECES = [
    *[
        "\0",
        "\x1b[2J",
        "\x85",
        "\u2028",
        "\ud800",
        "é",
        "😀",
        "\r",
        "\r\n",
        "\t",
        "\ufeff",
        '"',
        "'",
        '"""',
        "'''",
        "#",
    ],
    *[
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "[[",
        "]]",
        "\n[run]\n",
        "\n[[data]]\n",
        "\n[callbacks.x]\n",
        "use",
        "enabled",
    ],
    *[
        "nan",
        "inf",
        "1e400",
        "-1",
        "1.5",
        "true",
        "0x" + "f" * 40,
        "9" * 5000,
        "1979-05-27",
        "07:32:00",
        "[1, 2]",
        "{}",
    ],
    *['extends = "mnist_mlp"\n', 'extends = "/etc/passwd"\n', 'extends = "."\n', 'extends = "\\u0000"\n'],
    'extends = "' + "x" * 999 + '.toml"\n',
    *['"os.system"', '"builtins:exec"', '"ganfw:mlp"', "a" * 60_000],
    *["a." * 40 + "a = 1\n", "a." * 30_000 + "a = 1\n", "[" * 30_000, "x = " + "[" * 900 + "]" * 900 + "\n"],
    *["x = " + "{a = " * 200 + "1" + "}" * 200 + "\n", "x = {" + ", ".join(f"a{i} = 1" for i in range(6000)) + "}\n"],
    "".join(f"k{i} = 1\n" for i in range(6000)),
]


def rewritten(rng: random.Random, text: str) -> str:
    """Change a recipe in one to four places, as a careless or hostile editor would."""
    for _ in range(rng.randint(1, 4)):
        lines = text.splitlines(keepends=True) or ["\n"]
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        words = [*text.replace("\n", " \n ").split(" "), ""]
        place, other = rng.randrange(len(words)), rng.randrange(len(words))
        match rng.randrange(7):
            case 0:
                lines.insert(here, lines[there])
            case 1:
                del lines[here]
            case 2:
                lines[here], lines[there] = lines[there], lines[here]
            case 3:
                words[place], words[other] = words[other], words[place]
                lines = [" ".join(words)]
            case 4:
                words[place] = rng.choice(PIECES)
                lines = [" ".join(words)]
            case 5:
                position = rng.randrange(len(text) + 1)
                lines = [text[:position], rng.choice(PIECES), text[position + rng.choice([0, 0, 1, 9]) :]]
            case 6:
                lines = [damaged(rng, text.encode(errors="replace") or b"\n", b"").decode(errors="replace")]
        text = "".join(lines)
    return text


@cases(150, 1500)
def test_a_recipe_of_any_text_is_resolved_or_refused(registry: Registry, tmp_path: Path, count: int) -> None:
    path = tmp_path / "recipe.toml"
    outcomes: Counter[str] = Counter()
    for case in range(count):
        rng = random.Random(case)
        path.write_bytes(rewritten(rng, SHIPPED).encode(errors=rng.choice(["surrogatepass", "replace"])))

        message = refusal(lambda: ganfw.resolve(Recipe.load(path, registry), registry))

        outcomes["refused" if message else "resolved"] += 1
        if case % 20 == 0:
            with time_limit():
                result = CliRunner().invoke(main, ["check", str(path)])
            assert result.exit_code == (2 if message else 0)
            assert isinstance(result.exception, SystemExit | None)
    assert outcomes.total() == count
    assert outcomes["refused"] > 0.3 * count
    assert outcomes["resolved"] > 0.05 * count
