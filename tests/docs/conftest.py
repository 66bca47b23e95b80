"""What the tests of several pages share."""

import sys
from collections.abc import Iterator

import pytest
from pages import blocks, page

import ganfw
from ganfw.scaffold.plugin import plugin_files, plugin_names


@pytest.fixture
def clean_modules() -> Iterator[None]:
    """Forget the modules that a test imports from a page."""
    before = set(sys.modules)
    yield
    ours = ("ganfw_total_variation", "kinds_", "my_")
    for name in set(sys.modules) - before:
        if name.startswith(ours):
            del sys.modules[name]


@pytest.fixture
def scaffold() -> dict[str, str]:
    """Return the files that `ganfw new plugin` writes in the tutorial about losses, by their paths in the package."""
    lines = "".join(blocks(page("tutorial/own-loss.md"), "sh")).splitlines()
    (name,) = (line.split()[-1] for line in lines if line.startswith("ganfw new plugin "))
    return plugin_files(plugin_names(name, "loss", ganfw.discover(allowed=())))
