"""`ganfw run` and `ganfw resume`, in this process and as real ones."""

import contextlib
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from ganfw import Recipe, Registry, resolve
from ganfw.cli import main

SMALL = ["--set", "generator.hidden_dim=4", "--set", "discriminator.hidden_dim=4", "--set", "data.split=test"]
no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_run_leaves_everything_in_a_new_directory(tmp_path: Path, registry: Registry) -> None:
    arguments = ["run", "mnist_mlp", *SMALL, "--set", "run.max_steps=6", "--set", "run.log_every_steps=4"]
    arguments += ["--set", "callbacks.health.grace_steps=0"]

    result = invoke(*arguments, "--seed", "3", "--device", "cpu", "--out", "out")

    assert result.exit_code == 0, result.stderr
    assert result.stdout == "out/mnist_mlp-1\n"
    directory = tmp_path / "out" / "mnist_mlp-1"
    found = sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    assert found == [
        ".lock",
        "checkpoints/latest",
        "checkpoints/step-000006/discriminator.safetensors",
        "checkpoints/step-000006/fingerprint.safetensors",
        "checkpoints/step-000006/generator.safetensors",
        "checkpoints/step-000006/manifest.json",
        "checkpoints/step-000006/optimizer.discriminator.safetensors",
        "checkpoints/step-000006/optimizer.generator.safetensors",
        "checkpoints/step-000006/recipe.toml",
        "checkpoints/step-000006/state.json",
        "checkpoints/step-000006/training.safetensors",
        "environment.json",
        "metrics.jsonl",
        "recipe.toml",
        "samples/real.png",
        "samples/step-000006.png",
    ]
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line["epoch"], line["images"]) for line in lines] == [(4, 1, 512), (6, 1, 768)]
    assert list(lines[0]) == ["step", "epoch", "images", "seconds", "warnings", "loss/discriminator", "loss/generator"]
    assert lines[0]["warnings"] == ["collapse"]  # what networks as small as these make of any noise is all alike
    environment = json.loads((directory / "environment.json").read_text())
    assert (environment["seed"], environment["device"], environment["torch"]) == (3, "cpu", torch.__version__)
    assert environment["parts"]["generator"]["target"] == "ganfw.builtin.mlp:MLPGenerator"
    assert len(environment["data_sha256"]) == 64
    assert environment["data_licence"] == "CC-BY-SA-3.0"
    recipe = Recipe.load(directory / "recipe.toml", registry)
    defaults = {"norm": "batch", "output": "sigmoid"}
    assert recipe.tables["generator"] == {"use": "ganfw:mlp", "hidden_dim": 4, **defaults}
    assert resolve(recipe, registry).recipe == recipe
    assert "step 4  epoch 1/1  loss/discriminator " in result.stderr
    assert result.stderr.endswith("look at it: ganfw sample out/mnist_mlp-1\n")


def test_the_command_that_a_run_ends_with_succeeds_for_points() -> None:
    result = invoke("run", "ring_mlp", "--set", "run.max_steps=2", "--out", "out")

    assert result.stderr.endswith("draw samples: ganfw sample out/ring_mlp-1 -o samples.npy\n")
    assert invoke("sample", "out/ring_mlp-1", "-o", "samples.npy").exit_code == 0
    assert np.load("samples.npy").shape[1:] == (2,)


def test_a_callback_that_asks_for_too_much_is_reported_with_what_there_is() -> None:
    result = invoke(
        "run", "mnist_mlp", *SMALL, "--set", "run.max_steps=1", "--set", f"callbacks.samples.count={10**12}"
    )

    assert result.exit_code == 2
    told = result.stderr[result.stderr.index("Error: ") :]
    assert told.startswith("Error: callback 'sample_grid' (ganfw ")
    assert ") runs out of memory in on_step after step 1: RuntimeError: " in told
    assert told.endswith(
        "; check its sizes\nthe run has no checkpoint yet, so it starts again at step 0; "
        "continue with: ganfw resume "
        "runs/mnist_mlp-1\n"
    )


def test_a_run_with_profile_is_the_same_run_with_a_profile() -> None:
    arguments = ["run", "mnist_mlp", *SMALL, "--set", "run.max_steps=13"]

    plain = invoke(*arguments)
    profiled = invoke(*arguments, "--profile", "--set", "callbacks.profile.steps=2")

    assert (plain.exit_code, profiled.exit_code) == (0, 0), profiled.stderr
    assert "profile of steps 11 to 12: " in profiled.stderr
    assert "\n  runs/mnist_mlp-2/profile/trace.json opens in https://ui.perfetto.dev\n" in profiled.stderr
    weights = [Path(f"runs/mnist_mlp-{n}/checkpoints/step-000013/generator.safetensors").read_bytes() for n in (1, 2)]
    assert weights[0] == weights[1]


def test_a_second_run_gets_a_directory_of_its_own() -> None:
    arguments = ["run", "mnist_mlp", *SMALL, "--set", "run.max_steps=1"]

    assert [invoke(*arguments).stdout for _ in range(2)] == ["runs/mnist_mlp-1\n", "runs/mnist_mlp-2\n"]


def test_a_run_says_which_limit_ends_it() -> None:
    small = ["run", "mnist_mlp", *SMALL, "--set", "run.batch_size=5000"]

    first = invoke(*small, "--set", "run.epochs=1", "--set", "run.max_steps=5000").stderr
    second = invoke(*small, "--set", "run.epochs=2", "--set", "run.max_steps=2").stderr

    assert "2 steps, 2 an epoch, batch 5000: run.epochs = 1 ends before run.max_steps = 5,000\n" in first
    assert "2 steps, 2 an epoch, batch 5000\n" in second


def test_resume_of_a_finished_run_says_how_to_continue() -> None:
    invoke("run", "mnist_mlp", *SMALL, "--set", "run.max_steps=3")

    written = Path("runs/mnist_mlp-1/recipe.toml").read_text()
    done = invoke("resume", "runs/mnist_mlp-1")
    assert Path("runs/mnist_mlp-1/recipe.toml").read_text() == written  # with the origins of its values
    more = invoke("resume", "runs/mnist_mlp-1", "--set", "run.max_steps=5")

    assert (done.exit_code, more.exit_code) == (0, 0)
    assert done.stderr.startswith("all 3 steps are done; for more: --set run.epochs=N, or run.max_steps\n")
    assert "done: 3 steps" not in done.stderr
    assert "done: 5 steps in " in more.stderr
    environment = json.loads(Path("runs/mnist_mlp-1/environment.json").read_text())
    assert [(resumed["step"], resumed["seed"]) for resumed in environment["resumed"]] == [(3, 0), (3, 0)]
    assert "max_steps = 5 " in Path("runs/mnist_mlp-1/recipe.toml").read_text()
    steps = [json.loads(line)["step"] for line in Path("runs/mnist_mlp-1/metrics.jsonl").read_text().splitlines()]
    assert steps == [5]


def test_a_run_of_a_script_records_its_hash_and_needs_it_to_resume(tmp_path: Path) -> None:
    Path("script_losses.py").write_text(
        "from ganfw import Part, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    yield Part(kind='loss', name='plain', target='script_losses:Plain')\n"
        "class Plain:\n"
        "    def discriminator(self, real_logits, fake_logits):\n"
        "        return (fake_logits - real_logits).mean()\n"
        "    def generator(self, fake_logits):\n"
        "        return -fake_logits.mean()\n"
    )
    arguments = [*SMALL, "--set", "run.max_steps=2", "--set", "loss.use=plain"]

    first = invoke("run", "mnist_mlp", *arguments, "--plugin", "script_losses.py")
    without = invoke("resume", "runs/mnist_mlp-1", "--set", "run.max_steps=3")
    with_it = invoke("resume", "runs/mnist_mlp-1", "--set", "run.max_steps=3", "--plugin", "script_losses.py")

    assert first.exit_code == 0, first.stderr
    environment = json.loads(Path("runs/mnist_mlp-1/environment.json").read_text())
    assert environment["parts"]["loss"]["distribution"] == "script_losses.py"
    assert environment["parts"]["loss"]["version"].startswith("sha256:")
    assert without.exit_code == 2
    assert "it is of a script: give it with --plugin script_losses.py" in without.stderr
    assert with_it.exit_code == 0, with_it.stderr


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone", "gone: no such run directory; see: ganfw runs"),
        (
            "runs/mnist_mlp-1/checkpoints/step-000001",
            "runs/mnist_mlp-1/checkpoints/step-000001: not a run directory: it has no environment.json; name the run, "
            "not a checkpoint",
        ),
    ],
)
def test_resume_of_what_is_no_run_is_reported(path: str, message: str) -> None:
    invoke("run", "mnist_mlp", *SMALL, "--set", "run.max_steps=1")

    result = invoke("resume", path)

    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_resume_of_a_run_with_a_damaged_record_is_reported() -> None:
    invoke("run", "mnist_mlp", *SMALL, "--set", "run.max_steps=1")
    Path("runs/mnist_mlp-1/environment.json").write_text("{}")

    result = invoke("resume", "runs/mnist_mlp-1")

    expected = "Error: runs/mnist_mlp-1/environment.json: cannot be read: 'resumed'\n"
    assert (result.exit_code, result.stderr) == (2, expected)


@contextlib.contextmanager
def lock_held_elsewhere(run: Path) -> Iterator[None]:
    """Hold the lock of a run in another process."""
    hold = "import sys; from pathlib import Path; from ganfw.files import locked\n"
    hold += "with locked(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(run)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        yield
        process.stdin.close()


def test_resume_of_a_run_that_is_training_is_refused_and_changes_nothing() -> None:
    invoke("run", "mnist_mlp", *SMALL, "--set", "run.max_steps=1")
    run = Path("runs/mnist_mlp-1")
    before = [(run / name).read_bytes() for name in ("environment.json", "recipe.toml")]

    with lock_held_elsewhere(run):
        result = invoke("resume", str(run), "--set", "run.max_steps=2")

    assert result.exit_code == 2
    assert result.stderr.endswith("Error: runs/mnist_mlp-1: another process is training this run\n")
    assert [(run / name).read_bytes() for name in ("environment.json", "recipe.toml")] == before


SLOW_DATA = """\
import time
from pathlib import Path
import torch
from ganfw import Part, TensorData, hookimpl
@hookimpl
def ganfw_parts():
    yield Part(kind='data', name='slow', target='slow_data:slow')
def slow():
    if Path('slow').exists():
        Path('building').touch()
        while Path('slow').exists():
            time.sleep(0.05)
    return TensorData(torch.arange(64 * 16).remainder(251).to(torch.uint8).reshape(64, 1, 4, 4))
"""


@pytest.mark.slow
def test_a_resume_holds_the_run_from_before_it_reads_its_state() -> None:
    Path("slow_data.py").write_text(SLOW_DATA)
    small = ["--set", "generator.hidden_dim=4", "--set", "discriminator.hidden_dim=4", "--plugin", "slow_data.py"]
    first = invoke("run", "mnist_mlp", *small, "--set", "data.use=slow", "--set", "run.max_steps=2")
    assert first.exit_code == 0, first.stderr
    Path("slow").touch()
    command = [sys.executable, "-m", "ganfw", "resume", "runs/mnist_mlp-1", "--plugin", "slow_data.py"]
    slow = subprocess.Popen([*command, "--set", "run.max_steps=3"], stderr=subprocess.PIPE, text=True)
    wait_for(Path("building"), slow)

    other = subprocess.run([*command, "--set", "run.max_steps=5"], capture_output=True, text=True, check=False)
    Path("slow").unlink()
    _, stderr = slow.communicate(timeout=60)

    assert (other.returncode, other.stdout) == (2, "")
    assert other.stderr == "Error: runs/mnist_mlp-1: another process is training this run\n"
    assert slow.returncode == 0, stderr
    steps = [json.loads(line)["step"] for line in Path("runs/mnist_mlp-1/metrics.jsonl").read_text().splitlines()]
    assert steps == [3]


def test_other_data_that_is_accepted_is_recorded() -> None:
    script = SLOW_DATA.replace("slow_data:", "other_data:")
    Path("other_data.py").write_text(script)
    small = ["--set", "generator.hidden_dim=4", "--set", "discriminator.hidden_dim=4", "--plugin", "other_data.py"]
    invoke("run", "mnist_mlp", *small, "--set", "data.use=slow", "--set", "run.max_steps=2")
    Path("other_data.py").write_text(script.replace("251", "241"))
    command = ["resume", "runs/mnist_mlp-1", "--plugin", "other_data.py", "--set", "run.max_steps=3"]

    refused = invoke(*command)
    accepted = invoke(*command, "--accept-other-data")

    assert refused.exit_code == 2
    assert "the data is not that of the run" in refused.stderr
    assert accepted.exit_code == 0, accepted.stderr
    (resumed,) = json.loads(Path("runs/mnist_mlp-1/environment.json").read_text())["resumed"]
    assert resumed["accept_other_data"] is True
    assert len(resumed["data_sha256"]) == 64


def test_a_run_from_a_checkpoint_of_another_with_the_same_settings_is_the_same_run() -> None:
    whole = invoke(
        "run", "mnist_mlp", *SMALL, "--set", "run.max_steps=7", "--set", "callbacks.checkpoint.every_steps=3"
    )
    assert whole.exit_code == 0, whole.stderr
    result = invoke("run", "runs/mnist_mlp-1/recipe.toml", "--from", "runs/mnist_mlp-1@6")

    assert (result.exit_code, result.stdout) == (0, "runs/mnist_mlp-2\n"), result.stderr
    folders = [Path(f"runs/mnist_mlp-{n}/checkpoints/step-000007") for n in (1, 2)]
    for file in ("generator.safetensors", "optimizer.generator.safetensors", "training.safetensors"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    environment = json.loads(Path("runs/mnist_mlp-2/environment.json").read_text())
    manifest = Path("runs/mnist_mlp-1/checkpoints/step-000006/manifest.json").read_bytes()
    assert environment["started_from"] == {
        "checkpoint": "runs/mnist_mlp-1/checkpoints/step-000006",
        "step": 6,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }


def test_a_run_from_a_checkpoint_has_the_settings_of_its_recipe() -> None:
    invoke("run", "mnist_mlp", *SMALL, "--set", "run.max_steps=3")
    start = ["run", "mnist_mlp", *SMALL, "--from", "runs/mnist_mlp-1"]
    others = ["run.max_steps=5", "optimizer.generator.lr=1e-3", "optimizer.discriminator.use=sgd", "run.seed=1"]
    done = invoke(*start, "--set", "run.max_steps=3")
    result = invoke(*start, *(argument for each in others for argument in ("--set", each)))
    misfit = invoke(*start, "--set", "run.max_steps=5", "--set", "generator.hidden_dim=5")
    gone = invoke("run", "mnist_mlp", *SMALL, "--from", "runs/mnist_mlp-1@9")

    assert result.exit_code == 0, result.stderr
    states = [
        json.loads(Path(f"runs/mnist_mlp-{n}/checkpoints/step-{s}/state.json").read_text())
        for n, s in ((1, "000003"), (2, "000005"))
    ]
    assert [state["optimizer.generator"]["param_groups"][0]["lr"] for state in states] == [1e-5, 1e-3]
    saved = sorted(path.name for path in Path("runs/mnist_mlp-2/checkpoints").glob("step-*"))
    assert saved == ["step-000003", "step-000005"]  # what it began with is its own: it can be resumed at any time
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: runs/mnist_mlp-1/checkpoints/step-000003: all 3 steps of this recipe are done; for more: "
        "--set run.epochs=N, or run.max_steps\n",
    )
    assert misfit.stderr == (
        "Error: runs/mnist_mlp-1/checkpoints/step-000003: its weights do not fit the generator of its recipe: "
        "'0.0.bias' is (4,) float32, not (5,) float32\n"
    )
    assert gone.stderr == "Error: runs/mnist_mlp-1: has no checkpoint of step 9; it has kept: 3\n"
    assert sorted(path.name for path in Path("runs").iterdir()) == ["mnist_mlp-1", "mnist_mlp-2"]


EXPLODING = """\
from ganfw import Part, hookimpl
@hookimpl
def ganfw_parts():
    yield Part(kind='schedule', name='exploding', target='MODULE:exploding')
def exploding(*, at: int):
    return lambda step, total_steps: float('nan') if step >= at else 1.0
"""


def test_a_run_from_a_checkpoint_begins_anew_with_means_of_other_networks() -> None:
    averaged = ("--set", "averaging.mean.use=ema", "--set")
    small = ("run", "mnist_mlp", *SMALL)
    first = invoke(*small, *averaged, 'averaging.mean.networks=["generator"]', "--set", "run.max_steps=3")
    other = (*averaged, 'averaging.mean.networks=["discriminator"]', "--set", "run.max_steps=5")
    second = invoke(*small, *other, "--from", "runs/mnist_mlp-1")

    assert (first.exit_code, second.exit_code) == (0, 0), second.stderr
    state = json.loads(Path("runs/mnist_mlp-2/checkpoints/step-000005/state.json").read_text())["averaging.mean"]
    assert (state["updates"], list(state["networks"])) == (2, ["discriminator"])


@pytest.mark.parametrize(("every_steps", "start"), [(2, " --from runs/mnist_mlp-1@4"), (100, "")])
def test_a_run_that_is_not_finite_says_how_to_start_again_from_its_last_healthy_step(
    every_steps: int, start: str
) -> None:
    script = f"exploding_{every_steps}.py"
    Path(script).write_text(EXPLODING.replace("MODULE", script.removesuffix(".py")))
    arguments = [*SMALL, "--plugin", script, "--set", "run.max_steps=8", "--set", "run.log_every_steps=2"]
    schedule = ["--set", "schedule.generator.use=exploding", "--set", "schedule.generator.at=4"]
    checkpoint = ["--set", f"callbacks.checkpoint.every_steps={every_steps}"]
    result = invoke("run", "mnist_mlp", *arguments, *schedule, *checkpoint)

    again = "ganfw run runs/mnist_mlp-1/recipe.toml"
    rates = " --set optimizer.generator.lr=5e-06 --set optimizer.discriminator.lr=5e-06"
    if start:
        advice = "a resume would end in the same way; start from step 4, the last healthy one, with others: "
    else:
        advice = "a resume would end in the same way; it has no checkpoint, so start with other settings: "
    advice += f"{again}{start}{rates}"
    assert result.exit_code == 2
    assert result.stderr.endswith(f"\n{advice}\n")
    command = advice.rpartition(": ganfw ")[2].split()
    followed = invoke(*command, "--plugin", script, "--set", "schedule.generator.at=9")
    assert (followed.exit_code, followed.stdout) == (0, "runs/mnist_mlp-2\n"), followed.stderr


def bad_input(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not Path("runs").exists()
    return result.stderr


def test_missing_recipe_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANFW_PLUGINS", "")  # other packages have recipes with names like it
    assert bad_input("run", "gone.toml") == "Error: gone.toml: no such recipe; see: ganfw recipes\n"
    assert bad_input("run", "mnist_mpl") == (
        "Error: no recipe is named 'mnist_mpl'; did you mean 'mnist_mlp' or 'mnist_mlp_wgan' or 'mnist_mlp_fast'?; "
        "see: ganfw recipes\n"
    )


def test_all_problems_of_a_recipe_are_reported_at_once() -> None:
    Path("mine.toml").write_text(
        'extends = "mnist_mlp"\n[generator]\nhiden_dim = 3\n[noise]\nz_dim = 0\n[optimizer.generator]\nlr = -1\n'
        "[run]\nbatch_size = 0\n"
    )

    assert bad_input("run", "mine.toml", "--set", "loss.use=bec") == (
        "Error: 5 problems in recipe 'mine'\n\n"
        "mine.toml:9: run.batch_size must be >= 1, not 0\n    batch_size = 0\n"
        "  its keys are seed, epochs, batch_size, max_steps, device, precision, tf32, compile, accumulate, "
        "sync_batch_norm, log_every_steps, workers\n\n"
        "mine.toml:5: noise.z_dim must be >= 1, not 0\n    z_dim = 0\n  see: ganfw parts noise normal\n\n"
        "mine.toml:3: unknown key 'hiden_dim' of generator 'mlp'\n    hiden_dim = 3\n"
        "  did you mean 'hidden_dim'?\n  see: ganfw parts generator mlp\n\n"
        "--set loss.use=bec: no loss is named 'bec'\n  did you mean 'bce'?\n  see: ganfw parts loss\n\n"
        "mine.toml:7: optimizer.generator.lr must be >= 0, not -1\n    lr = -1\n  see: ganfw parts optimizer adam\n"
    )


@no_cuda
def test_cuda_where_there_is_none_is_reported() -> None:
    expected = "Error: device 'cuda': this machine has none that torch can use; use auto or cpu\n"

    assert bad_input("run", "mnist_mlp", "--device", "cuda") == expected


def test_missing_data_is_reported_with_the_part() -> None:
    assert bad_input("run", "mnist_mlp", "--set", "data.root=nowhere") == (
        "Error: data 'mnist' (ganfw 0.2.0): nowhere/MNIST/raw/train-images-idx3-ubyte: no such file, zipped or not; "
        "data.root must hold MNIST/raw/train-images-idx3-ubyte\n"
    )


def test_an_output_path_that_cannot_be_written_is_reported() -> None:
    Path("file").write_text("")

    assert bad_input("run", "mnist_mlp", *SMALL, "--out", "file/runs") == (
        "Error: file/runs: runs cannot be written here: Not a directory; choose another with --out\n"
    )


FAILING = """\
import sys
import torch
from ganfw import Callback, Part, hookimpl
@hookimpl
def ganfw_parts():
    yield Part(kind='callback', name='failing', target='MODULE:Failing')
    yield Part(kind='loss', name='failing', target='MODULE:FailingLoss')
    yield Part(kind='data', name='failing', target='MODULE:FailingData')
    yield Part(kind='schedule', name='failing', target='MODULE:failing')
class Failing(Callback):
    def __init__(self, *, at: int = 4):
        self.at = at
    def on_step(self, training):
        if training.step == self.at:
            return 1 / 0
class FailingLoss:
    calls = 0
    def discriminator(self, real_logits, fake_logits):
        self.calls += 1
        if self.calls == 6:  # two of them in the trial
            sys.exit("enough")
        return (fake_logits - real_logits).mean()
    def generator(self, fake_logits):
        return -fake_logits.mean()
class FailingData(torch.utils.data.Dataset):
    served = 0
    def __len__(self):
        return 256
    def __getitem__(self, index):
        self.served += 1
        if self.served > 3 + 40:  # three of them before training
            raise OSError("disk gone")
        return torch.rand(1, 4, 4)
def failing():
    return lambda step, total_steps: 1.0 if step < 3 else 1 / (step - 3)
"""


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


FAILURES = {
    "callback": ("callbacks.more.use=failing", "fails in on_step after step 4: ZeroDivisionError: division by zero", 2),
    "loss": ("loss.use=failing", "fails in step 4: SystemExit: enough", 2),
    "schedule": ("schedule.generator.use=failing", "fails in step 4: ZeroDivisionError: division by zero", 2),
    "data": ("data.use=failing", "fails in step 3: OSError: disk gone", 2),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_part_that_fails_is_named_with_its_step_and_how_to_continue(kind: str) -> None:
    option, failure, step = FAILURES[kind]
    script = FAILING.replace("MODULE", f"failing_{kind}")
    Path(f"failing_{kind}.py").write_text(script)
    options = ["callbacks.checkpoint.every_steps=2", "run.max_steps=8", "run.workers=0", "run.batch_size=16", option]
    options += ["callbacks.health.enabled=false", "callbacks.samples.enabled=false"]  # they look at data as well
    sets = [argument for each in options for argument in ("--set", each)]
    result = invoke("run", "mnist_mlp", *SMALL[: 4 if kind == "data" else 6], "--plugin", f"failing_{kind}.py", *sets)

    sentence, _, trace = result.stderr.partition("Error: ")[2].partition("\n\n")
    assert result.exit_code == 1
    assert sentence == (
        f"{kind} 'failing' (failing_{kind}.py sha256:{sha256_of(script)}) {failure}\n"
        f"the last good checkpoint is runs/mnist_mlp-1/checkpoints/step-{step:06d}; continue with: "
        "ganfw resume runs/mnist_mlp-1"
    )
    assert trace.startswith("Traceback (most recent call last):\n")
    assert f'failing_{kind}.py", line ' in trace
    assert trace.endswith(f"{failure.rpartition('Error: ')[2].removeprefix('fails in step 4: SystemExit: ')}\n")


def test_too_little_memory_in_training_says_what_to_lower() -> None:
    Path("vast.py").write_text(
        "import torch\n"
        "from ganfw import Part, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    yield Part(kind='augmentation', name='vast', target='vast:Vast')\n"
        "class Vast:\n"
        "    def __call__(self, samples, random):\n"
        "        return samples if len(samples) < 3 else samples + torch.empty(1 << 45)\n"
    )
    result = invoke("run", "mnist_mlp", *SMALL, "--plugin", "vast.py", "--set", "augmentations.vast.use=vast")

    sentence = result.stderr.partition("Error: ")[2].partition("\n")[0]
    assert sentence.startswith("augmentation 'vast' (vast.py sha256:")
    assert ") fails in step 1: RuntimeError: " in sentence
    assert sentence.endswith("; lower run.batch_size, or raise run.accumulate, which computes a batch in parts")


def test_a_run_whose_callback_failed_continues_as_it_is_reported() -> None:
    Path("failing_once.py").write_text(FAILING.replace("MODULE", "failing_once"))
    options = ["--set", "callbacks.checkpoint.every_steps=2", "--set", "callbacks.more.use=failing"]
    options += ["--set", "run.max_steps=5", "--plugin", "failing_once.py"]
    sentence = invoke("run", "mnist_mlp", *SMALL, *options).stderr.partition("\n\nTraceback")[0]

    command = sentence.rpartition("continue with: ganfw ")[2].split()
    result = invoke(*command, "--plugin", "failing_once.py", "--set", "callbacks.more.at=0")

    assert result.exit_code == 0, result.stderr


def test_a_step_that_fails_before_training_keeps_its_traceback() -> None:
    script = (
        "from ganfw import Part, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    yield Part(kind='step', name='broken', target='dividing_step:Broken')\n"
        "class Broken:\n"
        "    def __init__(self, generator, discriminator, noise, loss, /): pass\n"
        "    def updates(self):\n"
        "        return 1 / 0\n"
    )
    Path("dividing_step.py").write_text(script)
    result = invoke("run", "mnist_mlp", *SMALL, "--plugin", "dividing_step.py", "--set", "step.use=broken")

    assert isinstance(result.exception, ZeroDivisionError), result.stderr


def wait_for(path: Path, process: "subprocess.Popen[str]", seconds: float = 60) -> None:
    """Wait until a file exists."""
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_after_the_step_and_the_run_continues(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    arguments = ["run", "mnist_mlp", *SMALL, "--set", "callbacks.samples.every_steps=20", "--set", "run.epochs=999"]
    arguments += ["--set", "run.compile=false"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ganfw", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(tmp_path / "runs" / "mnist_mlp-1" / "samples" / "step-000020.png", process)

    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)

    (checkpoint,) = (tmp_path / "runs" / "mnist_mlp-1" / "checkpoints").glob("step-*")
    step = int(checkpoint.name.removeprefix("step-"))
    assert process.returncode == status
    assert stdout == "runs/mnist_mlp-1\n"
    assert stderr.endswith(
        f"stopped by {number.name} after step {step}; {999 * 79 - step} steps are left\n"
        f"the last good checkpoint is runs/mnist_mlp-1/checkpoints/{checkpoint.name}; "
        "continue with: ganfw resume runs/mnist_mlp-1\n"
    )
    result = invoke("resume", "runs/mnist_mlp-1", "--set", f"run.max_steps={step + 3}")
    assert result.exit_code == 0, result.stderr
    assert f"done: {step + 3} steps in " in result.stderr


def test_a_stopped_run_without_checkpoints_says_how_it_continues(tmp_path: Path) -> None:
    Path("stopper.py").write_text(
        "from ganfw import Callback, Part, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    yield Part(kind='callback', name='stopper', target='stopper:Stopper')\n"
        "class Stopper(Callback):\n"
        "    def on_step(self, training):\n"
        "        training.stop('the stopper')\n"
    )
    arguments = ["--set", "callbacks.checkpoint.enabled=false", "--set", "callbacks.stop.use=stopper"]

    result = invoke("run", "mnist_mlp", *SMALL, "--plugin", "stopper.py", *arguments)

    assert result.exit_code == 0
    assert result.stderr.endswith(
        "stopped by the stopper after step 1; 15799 steps are left\n"
        "the run has no checkpoint yet, so it starts again at step 0; continue with: ganfw resume runs/mnist_mlp-1\n"
    )


@pytest.mark.slow
def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    Path("slow_step.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from ganfw import Part, Update, hookimpl\n"
        "@hookimpl\n"
        "def ganfw_parts():\n"
        "    yield Part(kind='step', name='slow', target='slow_step:Slow')\n"
        "class Slow:\n"
        "    def __init__(self, generator, discriminator, noise, loss, /):\n"
        "        self.generator, self.discriminator = generator, discriminator\n"
        "        self.calls = 0\n"
        "    def updates(self):\n"
        "        return [Update('generator', lambda *_: self.lose(self.generator)),\n"
        "                Update('discriminator', lambda *_: self.lose(self.discriminator))]\n"
        "    def lose(self, network):\n"
        "        self.calls += 1\n"
        "        if self.calls > 2:  # the trial has called it twice\n"
        "            Path('started').touch()\n"
        "            time.sleep(300)\n"
        "        return sum(weight.sum() for weight in network.parameters())\n"
    )
    arguments = ["run", "mnist_mlp", *SMALL, "--plugin", "slow_step.py", "--set", "step.use=slow"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ganfw", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(tmp_path / "started", process)

    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)

    assert process.returncode == 130
    assert stderr.endswith("ganfw: interrupted\n")


@pytest.mark.slow
def test_the_reference_recipe_learns_as_the_reference_does(tmp_path: Path) -> None:
    """Two epochs on real MNIST: window means at step 500, and twice the same bits."""
    finals = []
    for run in (1, 2):
        directory = tmp_path / "runs" / f"mnist_mlp-{run}"
        process = subprocess.Popen(
            [sys.executable, "-m", "ganfw", "run", "mnist_mlp", "--set", "run.epochs=2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, stderr = process.communicate(timeout=900)
        assert process.returncode == 0, stderr
        lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
        assert [line["step"] for line in lines] == [500, 938]
        assert 1.25 <= lines[0]["loss/generator"] <= 1.7
        assert 0.38 <= lines[0]["loss/discriminator"] <= 0.44
        for line in lines:
            del line["seconds"]
        weights = (directory / "checkpoints" / "step-000938" / "generator.safetensors").read_bytes()
        finals.append((lines, weights, (directory / "samples" / "step-000938.png").read_bytes()))

    assert finals[0] == finals[1]


SCRIPT_DATA = """
import torch
from ganfw import Part, hookimpl

class Squares(torch.utils.data.Dataset):
    def __init__(self, *, size: int = 8) -> None:
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return torch.full((1, 4, 4), index / self.size)

@hookimpl
def ganfw_parts():
    yield Part(kind="data", name="squares", target="squares:Squares", help="Squares of one grey.")
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_data_of_a_script_is_loaded_by_workers_however_they_start(tmp_path: Path, method: str) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "squares.py").write_text(SCRIPT_DATA)
    command = ["run", "mnist_mlp", "--plugin", "scripts/squares.py", "--set", "data.use=squares", *SMALL[:4], "--set"]
    command += ["run.max_steps=6", "--set", "run.batch_size=4", "--set", "run.workers=2"]
    code = (
        f"import multiprocessing, ganfw.cli; multiprocessing.set_start_method('{method}'); ganfw.cli.main({command!r})"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "done: 6 steps" in done.stderr
