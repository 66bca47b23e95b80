"""What a notebook shows, in a real kernel."""

import base64
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from PIL import Image

import ganfw

pytest.importorskip("ipykernel")
from jupyter_client.manager import KernelManager

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SMALL = (
    '["generator.hidden_dim=4", "discriminator.hidden_dim=4", "data.split=test", "run.log_every_steps=20", '
    '"callbacks.samples.every_steps=20", "callbacks.checkpoint.every_steps=1000", "run.max_steps={steps}"]'
)
Outputs = list[tuple[str, dict[str, Any]]]
Execute = Callable[..., Outputs]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a kernel and its client; ganfw is imported in it."""
    manager = KernelManager()
    manager.kernel_cmd = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("notebook")))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def execute(kernel: Any) -> Execute:
    """Run a cell and return its outputs; `interrupt_at` the first output of a type."""
    manager, client = kernel

    def execute(code: str, interrupt_at: str = "") -> Outputs:
        asked = client.execute(code)
        found: Outputs = []
        while True:
            try:
                message = client.get_iopub_msg(timeout=60)
            except Empty:
                raise AssertionError(f"nothing more comes after {found}") from None
            kind, content = message["msg_type"], message["content"]
            if message["parent_header"].get("msg_id") != asked:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return found
            if kind not in ("status", "execute_input"):
                found.append((kind, content))
            if kind == interrupt_at:
                manager.interrupt_kernel()
                interrupt_at = ""

    return execute


def picture(data: dict[str, Any]) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as opened:
        return opened.size


def test_training_shows_a_bar_and_the_newest_grid_in_one_place(execute: Execute) -> None:
    outputs = execute(f"import ganfw\nrun = ganfw.run_recipe('mnist_mlp', {SMALL.format(steps=60)})")

    kinds = [kind for kind, _ in outputs]
    assert [content for kind, content in outputs if kind == "error"] == []
    assert "stream" not in kinds, outputs  # no lines: the bar says what they would
    shown = [(kind, content["data"]) for kind, content in outputs if kind.endswith("display_data")]
    grids = [(kind, picture(data)) for kind, data in shown if "image/png" in data]
    assert grids == [
        ("display_data", (444, 444)),
        ("update_display_data", (444, 444)),
        ("update_display_data", (444, 444)),
    ]
    bars = [data for _, data in shown if "application/vnd.jupyter.widget-view+json" in data]
    assert len(bars) == 1


def test_a_run_and_its_pictures_are_the_values_of_cells(execute: Execute) -> None:
    execute(f"import ganfw\nrun = ganfw.run_recipe('mnist_mlp', {SMALL.format(steps=20)})")

    def value(code: str) -> dict[str, str]:
        ((kind, content),) = execute(code)
        assert kind == "execute_result", content
        data: dict[str, str] = content["data"]
        return data

    assert "<td>20 (finished)</td>" in value("run")["text/html"]
    assert picture(value("ganfw.show(run.sample(4), captions=list('abcd'))")) == (2 * 88 + 4, 2 * 106 + 4)
    assert picture(value("run.plot()")) == (420, 280)
    assert "<td>mnist_mlp-" in value("ganfw.load_runs('runs')")["text/html"]
    assert "hidden_dim = 4" in value("run.recipe")["text/html"]


def test_interrupting_the_kernel_stops_after_a_checkpoint(execute: Execute) -> None:
    outputs = execute(
        f"import ganfw\nrun = ganfw.run_recipe('mnist_mlp', {SMALL.format(steps=10_000_000)})",
        interrupt_at="update_display_data",
    )
    assert [content for kind, content in outputs if kind == "error"] == []

    ((_, result),) = execute("run.checkpoint.manifest.step, str(run.directory.resolve())")
    step, directory = eval(result["data"]["text/plain"])
    assert 0 < step < 10_000_000
    assert ganfw.open_run(Path(directory)).checkpoint.manifest.step == step
