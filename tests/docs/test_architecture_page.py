"""The architecture is that of the code."""

import ast
import re
from collections.abc import Callable

import attrs
from pages import DOCS, PACKAGE, code, section, table

import ganfw
from ganfw.training.loop import EVENTS


def test_every_room_is_in_the_table() -> None:
    rooms = [code(row[0]) for row in table(section("explanation/architecture.md", "Rooms"))]
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}

    assert len((DOCS / "explanation/architecture.md").read_text(encoding="utf-8").splitlines()) < 100
    assert set(rooms) == {"ganfw/", *folders} - {"builtin/", "recipes/"}


def test_the_streams_of_random_numbers_are_those_of_the_code() -> None:
    derived = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith("builtin/") or name == "engine/random_streams.py":
            continue
        for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("derive_seed", "seeded_generator"):
                stream = next(
                    argument.value
                    for argument in node.args[1:]
                    if isinstance(argument, ast.Constant) and argument.value != 0
                )
                derived.add((stream, name))

    rows = table(section("explanation/architecture.md", "Streams of random numbers"))
    assert {(re.findall(r"^`(\w+)`", row[0])[0], code(row[1])) for row in rows} == derived


def test_the_order_of_events_is_that_of_the_loop(tiny: ganfw.Recipe, registry: ganfw.Registry) -> None:
    seen: list[str] = []
    experiment = ganfw.assemble(ganfw.resolve(tiny, registry))

    def noting(event: str) -> Callable[[ganfw.Callback, ganfw.Training], None]:
        return lambda callback, training: seen.append(event)

    experiment.callbacks = {"notes": type("Notes", (ganfw.Callback,), {event: noting(event) for event in EVENTS})()}
    first = experiment.updates[0]
    experiment.updates = (attrs.evolve(first, after=lambda: seen.append("step")), *experiment.updates[1:])
    experiment.settings = ganfw.RunSettings(batch_size=32, log_every_steps=2, device="cpu")
    ganfw.train(experiment, steps=3)

    quiet = ["step", "on_step", "on_step_end"]
    loud = ["step", "on_log", "on_step", "on_step_end"]
    assert seen == ["on_start", *quiet, *loud, *quiet, "on_log", "on_end"]
    events = re.findall(r"`(on_\w+)` of every", section("explanation/architecture.md", "Order of events in a step"))
    assert ["step", *events] == loud


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    decisions = sorted((DOCS / "decisions").glob("0*.md"))
    listed = re.findall(r"\((.*?)\)", (DOCS / "decisions" / "README.md").read_text(encoding="utf-8"))

    assert [path.name for path in decisions] == listed
    for number, path in enumerate(decisions, 1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Alternatives",
            "Consequence",
        ]
