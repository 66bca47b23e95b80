"""`ganfw sample` and `ganfw interpolate`, from a run or a checkpoint alone."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganfw
from ganfw import Registry
from ganfw.cli import main


def invoke(*arguments: str | Path, status: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


def picture_size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_sample_draws_the_last_grid_of_the_run(trained: Path) -> None:
    assert invoke("sample", trained) == "tiny-step-000010-seed-0.png\n"

    assert Path("tiny-step-000010-seed-0.png").read_bytes() == (trained / "samples" / "step-000010.png").read_bytes()


def test_sample_of_a_checkpoint_that_stands_alone(trained: Path) -> None:
    shutil.move(trained / "checkpoints" / "step-000010", "alone")
    shutil.rmtree(trained)

    assert invoke("sample", "alone", "-n", "4", "--seed", "7") == "tiny-step-000010-seed-7.png\n"
    assert picture_size("tiny-step-000010-seed-7.png") == (2 * 88 + 4, 2 * 88 + 4)


@pytest.mark.slow
def test_sample_while_the_run_trains_and_removes_checkpoints(tmp_path: Path) -> None:
    often = ("callbacks.checkpoint.every_steps=1", "callbacks.checkpoint.keep=1", "callbacks.samples.enabled=false")
    small = ("generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test")
    settings = [word for each in (*often, *small) for word in ("--set", each)]
    command = [sys.executable, "-m", "ganfw", "run", "mnist_mlp", *settings, "--out", str(tmp_path)]
    steps: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        try:
            checkpoints = tmp_path / "mnist_mlp-1" / "checkpoints"
            while not (checkpoints / "latest").exists():
                assert training.poll() is None
                time.sleep(0.05)
            for _ in range(50):
                step = invoke("sample", checkpoints.parent, "-n", "1", "--seed", "1").split("-")[2]
                steps.append(int(step))
        finally:
            training.terminate()

    assert steps == sorted(steps)
    assert steps[-1] > steps[0]


def test_numbers_are_what_the_python_api_gives(trained: Path, registry: Registry) -> None:
    invoke("sample", trained, "-n", "70", "--seed", "7", "--truncation", "0.5", "-o", "a.npy")
    invoke("sample", trained, "-n", "70", "--seed", "7", "--truncation", "0.5", "-o", "b.npy", "--batch-size", "3")
    np.testing.assert_allclose(np.load("a.npy"), np.load("b.npy"), rtol=0, atol=1e-6)
    samples = ganfw.open_checkpoint(trained).source(registry, "cpu").sample(70, seed=7, truncation=0.5)

    array = np.load("a.npy", allow_pickle=False)

    assert (array.shape, array.dtype) == ((70, 1, 28, 28), np.float32)
    assert np.array_equal(array, samples.numpy())


def test_interpolate_draws_a_line_and_an_arc_for_each_pair(trained: Path) -> None:
    stdout = invoke("interpolate", trained, "--pairs", "2", "--steps", "5")
    invoke("interpolate", trained, "--pairs", "2", "--steps", "5", "-o", "a.npy")

    assert stdout == "tiny-step-000010-seed-0-interpolation.png\n"
    assert picture_size(stdout.strip()) == (5 * 88 + 4, 4 * 88 + 4)
    array = np.load("a.npy")
    assert array.shape == (2, 2, 5, 1, 28, 28)
    np.testing.assert_allclose(array[:, 0, [0, -1]], array[:, 1, [0, -1]], atol=1e-5)
    assert np.abs(array[:, 0, 2] - array[:, 1, 2]).max() > 1e-5


def test_a_folder_gets_a_picture_of_each_sample(trained: Path) -> None:
    Path("empty").mkdir()
    assert invoke("sample", trained, "-n", "12", "--seed", "7", "-o", "digits") == "digits\n"
    invoke("sample", trained, "-n", "12", "--seed", "7", "-o", "empty")
    invoke("sample", trained, "-n", "12", "--seed", "7", "-o", "numbers.npy")

    names = [f"{number:02d}.png" for number in range(12)]
    assert sorted(path.name for path in Path("digits").iterdir()) == names
    for name, numbers in zip(names, np.load("numbers.npy"), strict=True):
        with Image.open(Path("digits", name)) as picture:
            assert np.array_equal(np.array(picture), np.rint(numbers[0] * 255))
        assert Path("digits", name).read_bytes() == Path("empty", name).read_bytes()
    full = invoke("sample", trained, "-o", "digits", status=2)
    assert full == "Error: -o digits: the folder has something in it; choose another, or remove it\n"
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_each_seed_gives_its_first_sample(trained: Path) -> None:
    assert invoke("sample", trained, "--seeds", "2-3,10", "-o", "a.npy") == "a.npy\n"
    for seed in (2, 3, 10):
        invoke("sample", trained, "-n", "1", "--seed", str(seed), "-o", f"{seed}.npy")
    assert np.array_equal(np.load("a.npy"), np.concatenate([np.load(f"{seed}.npy") for seed in (2, 3, 10)]))

    invoke("sample", trained, "--seeds", "2-3,10", "-o", "each")
    assert sorted(path.name for path in Path("each").iterdir()) == ["seed-02.png", "seed-03.png", "seed-10.png"]
    assert invoke("sample", trained, "--seeds", "2-3,10") == "tiny-step-000010-seeds-2-3,10.png\n"
    captions = ["seed 2", "seed 3", "seed 10"]
    shown = ganfw.show(torch.from_numpy(np.load("a.npy")), captions=captions)
    assert Path("tiny-step-000010-seeds-2-3,10.png").read_bytes() == shown.png


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_a_walk_moves_along_the_arcs_and_back_for_ever(trained: Path, ending: str) -> None:
    invoke("interpolate", trained, "--pairs", "4", "--steps", "5", "-o", f"walk.{ending}", "--fps", "10")
    invoke("interpolate", trained, "--pairs", "4", "--steps", "5", "-o", "walk.npy")

    arcs = torch.from_numpy(np.load("walk.npy")[:, 1])
    with Image.open(f"walk.{ending}") as walk:
        assert (walk.n_frames, walk.info["loop"]) == (8, 0)
        for frame, step in enumerate([0, 1, 2, 3, 4, 3, 2, 1]):
            walk.seek(frame)
            walk.load()
            assert walk.info.get("duration", 100) == 100
            expected = ganfw.image_grid(arcs[:, step])[0].numpy().astype(int)
            assert np.abs(np.array(walk.convert("L")).astype(int) - expected).max() <= 1


def test_a_walk_is_a_video(trained: Path) -> None:
    video = pytest.importorskip("imageio.v3")
    pytest.importorskip("av")
    invoke("interpolate", trained, "--pairs", "1", "--steps", "4", "-o", "walk.mp4")

    frames = video.imread("walk.mp4", plugin="pyav")
    assert frames.shape == (6, 84, 84, 3)
    assert video.immeta("walk.mp4", plugin="pyav")["fps"] == 15


def test_a_video_needs_an_encoder(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio.v3", None)

    told = invoke("interpolate", trained, "-o", "walk.mp4", status=2)

    assert told == "Error: walk.mp4: an .mp4 needs an encoder: pip install 'ganfw[video]'\n"
    assert not Path("walk.mp4").exists()


def test_samples_are_turned_back_into_noise(trained: Path, registry: Registry) -> None:
    invoke("sample", trained, "-n", "3", "--seed", "5", "-o", "given")
    stdout = invoke("invert", trained, "given", "given/0.png", "--steps", "20")
    invoke("invert", trained, "given", "--steps", "20", "-o", "z.npy")

    assert stdout.splitlines()[:2] == ["tiny-step-000010-seed-0-inversion.png", "  image  difference"]
    assert len(stdout.splitlines()) == 6
    assert picture_size("tiny-step-000010-seed-0-inversion.png") == (4 * 88 + 4, 2 * 88 + 4)
    z = torch.from_numpy(np.load("z.npy"))
    source = ganfw.open_checkpoint(trained).source(registry, "cpu")
    assert source.noise
    again, _ = ganfw.invert(source.networks["generator"], source.noise, ganfw_images("given"), steps=20)
    assert torch.equal(z, again)


def ganfw_images(folder: str) -> torch.Tensor:
    pictures = []
    for path in sorted(Path(folder).iterdir()):
        with Image.open(path) as picture:
            pictures.append(torch.from_numpy(np.array(picture)).float().div(255)[None])
    return torch.stack(pictures)


NEGATIVE = """
from ganfw import Part, hookimpl
from torch import nn

@hookimpl
def ganfw_parts():
    yield Part(kind="network", name="negative", target="negative:Negative")

class Negative(nn.Module):
    def __init__(self):
        super().__init__()
        self.sign = nn.Parameter(torch.ones(1))

    def forward(self, samples):
        return 1 - self.sign * samples
""".replace("from torch import nn", "import torch\nfrom torch import nn")


def test_a_translation_is_drawn_below_what_it_is_of(trained: Path, tiny: ganfw.Recipe) -> None:
    Path("negative.py").write_text(NEGATIVE)
    negative = {"negative": {"use": "negative", "frozen": True}}
    sampler = {"use": "translation", "network": "negative"}
    recipe = ganfw.Recipe(name="negative", extends=tiny, networks=negative, sampler=sampler)
    experiment = ganfw.assemble(ganfw.resolve(recipe, ganfw.discover(scripts=["negative.py"])))
    run = ganfw.create_run_directory(Path("runs"), experiment)
    ganfw.train(experiment, directory=run)
    invoke("sample", trained, "-n", "12", "-o", "given")
    translate = ("sample", run, "--input", "given", "--plugin", "negative.py")

    assert invoke(*translate) == "negative-step-000010-seed-0.png\n"
    invoke(*translate, "-o", "made.npy")

    assert picture_size("negative-step-000010-seed-0.png") == (10 * 88 + 4, 4 * 88 + 4)
    given, made = ganfw_images("given"), torch.from_numpy(np.load("made.npy"))
    torch.testing.assert_close(made, 1 - given)
    with Image.open("negative-step-000010-seed-0.png") as picture:
        pixels = torch.from_numpy(np.array(picture))
    assert torch.equal(pixels[4 : 4 + 84, 4 : 4 + 84], ganfw.image_grid(given[:1], padding=0)[0])
    assert torch.equal(pixels[92 : 92 + 84, 4 : 4 + 84], ganfw.image_grid(made[:1], padding=0)[0])
    both = invoke(*translate, "--seeds", "1-2", status=2)
    assert (
        both
        == "Error: --seeds and --input cannot be used together, because each input gives one sample; leave one out\n"
    )


def test_name_tells_the_truncation(trained: Path) -> None:
    assert invoke("sample", trained, "--truncation", "0.5") == "tiny-step-000010-seed-0-truncation-0.5.png\n"


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("sample", ["-n", "0"], "the number of samples must be >= 1, not 0"),
        ("sample", ["--truncation", "-1"], "the truncation threshold must be >= 0, not -1.0"),
        ("sample", ["--truncation", "nan"], "the truncation threshold must be >= 0, not nan"),
        ("sample", ["--batch-size", "0"], "the batch size must be >= 1, not 0"),
        (
            "sample",
            ["-o", "a.jpg"],
            "-o a.jpg: the name must end in .png or .npy, or be that of a folder, without an ending",
        ),
        ("interpolate", ["-o", "a"], "-o a: the name must end in .png, .npy, .gif, .webp or .mp4"),
        ("interpolate", ["--fps", "9"], "--fps 9: it is for a .gif, .webp or .mp4, and must be at most 60"),
        (
            "interpolate",
            ["--fps", "0", "-o", "a.gif"],
            "--fps 0: it is for a .gif, .webp or .mp4, and must be at most 60",
        ),
        ("sample", ["--seeds", "1", "--seed", "1"], "--seeds and --seed cannot be used together; leave one out"),
        ("sample", ["--seeds", "3-"], "--seeds 3-: write numbers with commas between them, or ranges: 0-9,12"),
        ("sample", ["--seeds", "5-3"], "--seeds 5-3: write numbers with commas between them, or ranges: 0-9,12"),
        (
            "sample",
            ["--classes", "9" * 19],
            f"--classes {'9' * 19}: write numbers with commas between them, or ranges: 0-9,12",
        ),
        ("sample", ["--seeds", f"0-{'9' * 18}"], f"--seeds 0-{'9' * 18}: more than 100,000 numbers; give fewer"),
        ("sample", ["--classes", "a"], "--classes a: write numbers with commas between them, or ranges: 0-9,12"),
        (
            "sample",
            ["-o", "missing/there"],
            "missing/there: cannot be written: the folder missing does not exist; make it first",
        ),
        (
            "sample",
            ["-o", "img-%04d.png"],
            "-o img-%04d.png: all samples go into one file, so leave the number out; for a file each, give a folder: "
            "-o img",
        ),
        ("sample", ["--device", "gpu"], "device 'gpu' is unknown to torch; use auto, cpu, cuda, cuda:1 or mps"),
        ("interpolate", ["--pairs", "0"], "the number of pairs must be >= 1, not 0"),
        ("interpolate", ["--steps", "1"], "the number of steps must be >= 2, not 1"),
    ],
)
def test_bad_options_get_one_message(trained: Path, command: str, options: list[str], message: str) -> None:
    assert invoke(command, trained, *options, status=2) == f"Error: {message}\n"
    assert not list(Path().glob("*.npy"))


def test_an_output_that_cannot_be_written_is_reported(trained: Path) -> None:
    Path("file").write_text("")

    message = invoke("sample", trained, "-o", "file/a.png", status=2)

    assert message == "Error: file/a.png: cannot be written: the folder file does not exist; make it first\n"


def test_a_folder_that_is_no_run_is_reported() -> None:
    assert invoke("sample", "gone", status=2) == "Error: gone: no such run directory or checkpoint; see: ganfw runs\n"


@pytest.mark.parametrize("count", [10**12, 10**24])
def test_more_samples_than_there_is_room_for(trained: Path, count: int) -> None:
    told = invoke("sample", trained, "-n", str(count), status=2)

    assert told.startswith("Error: this is more than the memory holds: ")
    assert told.endswith("; ask for less, or lower --batch-size\n")
    assert "Traceback" not in told


OF_NUMBERS = """
import torch
from ganfw import Part, TensorData, hookimpl


def slopes():
    x = torch.rand(64, 2)
    return TensorData(x, x[:, 0])


class Generator(torch.nn.Module):
    def __init__(self, z_dim, sample_shape, /):
        super().__init__()
        self.linear = torch.nn.Linear(z_dim + 1, *sample_shape)

    def forward(self, z, labels):
        return self.linear(torch.cat([z, labels[:, None]], dim=1))


@hookimpl
def ganfw_parts():
    yield Part(kind="data", name="slopes", target=f"{__name__}:slopes")
    yield Part(kind="generator", name="of_numbers", target=f"{__name__}:Generator")
"""


def test_a_generator_of_numbers_has_no_class_to_walk_with() -> None:
    Path("of_numbers.py").write_text(OF_NUMBERS)
    parts = ("--plugin", "of_numbers.py")
    settings = ("data.use=slopes", "generator.use=of_numbers", "run.max_steps=1", "callbacks.samples.enabled=false")
    invoke("run", "ring_mlp", *parts, *(word for each in settings for word in ("--set", each)), "--out", "runs")

    assert invoke("interpolate", "runs/ring_mlp-1", *parts, status=2) == (
        "Error: runs/ring_mlp-1: its generator takes labels that are not classes; choose another run\n"
    )
