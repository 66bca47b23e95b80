"""A plugin of pytest: `pytest --device cuda` runs the tests that have the fixture `device` on that device.

A package switches it on with `pytest_plugins = ["ganfw.testing.devices"]` in its `tests/conftest.py`.
"""

import os

import pytest
import torch

_NAMES = {"cpu": "CPU", "cuda": "CUDA", "mps": "MPS"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--device", choices=_NAMES, default="cpu", help="where tests that compute do so (default: cpu)")


def pytest_configure(config: pytest.Config) -> None:
    """Add the markers; on the CPU hide every GPU of CUDA, so that `auto` is the CPU as well."""
    config.addinivalue_line("markers", "device: has the fixture `device`; `pytest -m device` runs only such tests")
    config.addinivalue_line("markers", "only_on(device, reason): skipped where --device is another one")
    if config.getoption("device") == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what has the fixture, its own or that of another fixture."""
    if "device" in getattr(item, "fixturenames", ()):
        item.add_marker("device")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is for another device."""
    marker, chosen = item.get_closest_marker("only_on"), item.config.getoption("device")
    if marker and chosen not in marker.args:
        where = " or ".join(_NAMES[name] for name in marker.args)
        pytest.skip(f"only on {where}, not on {_NAMES[chosen]}: {marker.kwargs['reason']}")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """Return the device of `--device`; where there is none, what needs it is skipped.

    On CUDA, cuDNN is kept to kernels that give the same bits each time, which not all of them do.
    """
    chosen: str = request.config.getoption("device")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[chosen]:
        pytest.skip(f"no {_NAMES[chosen]} device here")
    if chosen == "cuda":
        torch.backends.cudnn.deterministic = True
    return torch.device(chosen)
