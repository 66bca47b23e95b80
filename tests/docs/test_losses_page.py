"""The page about losses has every part."""

import re

import pytest
from pages import code, section, table

import ganfw


@pytest.mark.parametrize(("title", "kind"), [("Losses", "loss"), ("Regularizers", "regularizer")])
def test_the_losses_page_describes_every_part(title: str, kind: str) -> None:
    offers = {offer.part.name: offer for offer in ganfw.discover(allowed=()).parts(kind)}
    rows = table(section("reference/losses.md", title))

    assert sorted(code(row[0]) for row in rows) == sorted(offers)
    described = re.findall(r"^- \*\*`(\w+)`\*\*", section("reference/losses.md", title), re.MULTILINE)
    assert sorted(described) == sorted(offers)
    if kind == "regularizer":
        for row in rows:
            assert re.findall(r"`(\w+)`", row[2]) == list(offers[code(row[0])].signature().keys)
