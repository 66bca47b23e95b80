"""The tests of numbers on a device, and how fast it trains, within eight minutes. Called by `device.sh`.

Each section is a process of its own with a budget of wall-clock time. One that takes longer is stopped: what it had
found until then counts, and the table says so.
"""

import contextlib
import importlib.util
import json
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import torch
from attrs import frozen
from interleave import Contestant, ganfw_run, interleave, other

from ganfw import InputError, choose_device
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.compilation import compile_blocker
from ganfw.engine.device import device_name
from ganfw.engine.precision import require_precision

ROOT = Path(__file__).parents[1]
TESTS = ("engine", "builtin", "test_every_part.py", "evaluation", "training", "run")
"""What of tests/ concerns numbers, beside tests/device."""
RECIPES = {"mnist_mlp": "ganfw", "mnist_mlp_fast": "ganfw", "mnist_conv_fast": "ganfw_conv"}
"""Recipes whose speed is measured, each with the module that it needs."""
PRECISIONS = ("fp32", "bf16")
SECONDS_TO_END = 10.0
"""How long a section that is told to end may take to do so."""


@frozen
class Section:
    """A part of the benchmark: a process.

    Attributes:
        name: what the table calls it.
        seconds: its budget.
        command: what runs it.
        needs: a module that must be installed, or `""`.
    """

    name: str
    seconds: float
    command: Sequence[str]
    needs: str = ""

    def file(self, out: Path, suffix: str) -> Path:
        """Return a file of this section, beside the file of all."""
        return out.with_name(f"{out.stem}-{re.sub('[^a-z_]', '-', self.name)}{suffix}")


def sections(device: str, out: Path) -> Iterator[Section]:
    """Yield the sections; their budgets add up to seven and a half minutes."""
    jobs = min(4, os.cpu_count() or 1) if importlib.util.find_spec("xdist") else 0
    pytest = [sys.executable, "-m", "pytest", f"--device={device}", "-v", "-p", "no:cacheprovider"]
    parallel = [f"-n{jobs}", "--dist=worksteal"] if jobs > 1 else []
    numbers = [str(ROOT / "tests" / name) for name in TESTS]
    yield Section("tests/device", 70, [*pytest, "-m", "device", str(ROOT / "tests" / "device")])
    yield Section("tests of numbers", 80, [*pytest, *parallel, "-m", "device and not slow", *numbers])
    for recipe, needs in RECIPES.items():
        options = ["--device", device, "--out", str(out), "--measure", recipe]
        yield Section(recipe, 100, [sys.executable, __file__, *options], needs)


def run_section(section: Section, out: Path) -> tuple[int, bool, float]:
    """Run a section; return its exit status, whether it had to be stopped, and the seconds it took."""
    started = time.monotonic()
    with section.file(out, ".log").open("w") as log:
        process = subprocess.Popen(
            section.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True
        )
        try:
            process.wait(section.seconds - SECONDS_TO_END)
            stopped = False
        except subprocess.TimeoutExpired:
            stopped = True
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_END)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.wait(), stopped, time.monotonic() - started


def found_by_tests(log: str) -> dict[str, Any]:
    """Return how many tests there were, how each ended that did, and the names of what failed; pytest may be killed."""
    ended = re.findall(
        r"(?:^|(?<= ))(?:(PASSED|SKIPPED|FAILED|ERROR) )?(tests/\S+::\S.*?)(?: (PASSED|SKIPPED|FAILED|ERROR).*)?$",
        log,
        re.MULTILINE,
    )
    outcomes = {name: (before or after).lower() for before, name, after in ended if before or after}
    selected = (
        re.search(r"(\d+) selected", log) or re.search(r"\[(\d+) items\]", log) or re.search(r"collected (\d+)", log)
    )
    return {
        "selected": int(selected.group(1)) if selected else 0,
        "counts": dict(Counter(outcomes.values())),
        "failed": [name for name, outcome in outcomes.items() if outcome in ("failed", "error")],
    }


def measure(recipe: str, device: str, seconds: float, path: Path) -> None:
    """Let a recipe train in each way, in turn with a notebook's loop, and write what is found to a file as it comes."""
    started = time.monotonic()
    found: list[dict[str, Any]] = []
    with contextlib.suppress(KeyboardInterrupt):  # time is up
        for compiled in (False, True):  # what is compiled comes last, because compiling may take all of the time
            base = other("notebook", device)
            blockers = {precision: blocker(precision, compiled, choose_device(device)) for precision in PRECISIONS}
            chosen = {
                precision: contestant(recipe, device, precision, compiled)
                for precision, why_not in blockers.items()
                if not why_not
            }
            until = started + (seconds - SECONDS_TO_END) * (0.8 if compiled else 0.4)
            try:
                if chosen:
                    everyone = [base, *chosen.values()]
                    interleave(everyone, 5, seconds=1.0, warm_up=10, until=until, nobody_first=not compiled)
            finally:
                if not compiled:
                    found.append({"recipe": "notebook", "precision": "fp32", "compiled": False, **figures(base, base)})
                for precision, why_not in blockers.items():
                    row = {"recipe": recipe, "precision": precision, "compiled": compiled}
                    found.append({**row, **({"skipped": why_not} if why_not else figures(chosen[precision], base))})
                path.write_text(json.dumps(found, indent=2) + "\n")


def blocker(precision: str, compiled: bool, device: torch.device) -> str:
    """Return why a recipe cannot train in this way on a device, or `""`."""
    try:
        require_precision("bf16" if precision == "bf16" else "fp32", device)
    except InputError:
        return "skipped: no bfloat16 here"
    return "skipped: cannot compile" if compiled and compile_blocker(device, ProcessGroup()) else ""


def contestant(recipe: str, device: str, precision: str, compiled: bool) -> Contestant:
    """Return a run of a recipe that does not end by itself."""
    settings = [f"run.device={device}", f"run.precision={precision}", f"run.compile={str(compiled).lower()}"]
    return ganfw_run(recipe, *settings, "run.epochs=1000", recipe=recipe)


def figures(contestant: Contestant, base: Contestant) -> dict[str, Any]:
    """Return what was measured of a contestant, by name."""
    if not contestant.rates:
        return {"skipped": "skipped: no time left"}
    return {
        "steps_per_second": contestant.rates,
        "of_the_notebook": [mine / theirs for mine, theirs in zip(contestant.rates, base.rates, strict=False)],
        "first_step_seconds": contestant.first_step,
        "peak_mib": None if math.isnan(contestant.peak_mib) else contestant.peak_mib,
    }


def speed_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return speeds as Markdown; the ratio is given where both loops do the same work."""
    lines = ["| recipe | as | steps/s | of notebook | 1st step | MiB |", "|---|---|---|---|---|---|"]
    for row in rows:
        way = f"{row['recipe']} | {row['precision']}{', compiled' if row['compiled'] else ''}"
        if "skipped" in row:
            lines.append(f"| {way} | {row['skipped']} | | | |")
            continue
        speed = spread(row["steps_per_second"], 0)
        of_notebook = spread(row["of_the_notebook"], 2) if row["recipe"] in ("notebook", "mnist_mlp") else ""
        lines.append(f"| {way} | {speed} | {of_notebook} | {row['first_step_seconds']:.1f} s | {row['peak_mib']:.0f} |")
    return "\n".join(lines)


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median, lowest and highest of values, as text."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def environment(device: torch.device) -> dict[str, Any]:
    """Return what figures depend on."""
    return {
        "device": device.type,
        "device_name": device_name(device),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "ganfw": version("ganfw"),
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def report(section: Section, out: Path) -> dict[str, Any]:
    """Run a section, and return what it found."""
    about: dict[str, Any] = {"name": section.name, "budget_seconds": section.seconds}
    if section.needs and not importlib.util.find_spec(section.needs):
        return {**about, "seconds": 0.0, "fine": True, "result": f"skipped: {section.needs} is not installed"}
    speeds = section.file(out, ".json")
    speeds.unlink(missing_ok=True)
    status, stopped, seconds = run_section(section, out)
    if section.name in RECIPES:
        rows = json.loads(speeds.read_text()) if speeds.exists() else []
        speeds.unlink(missing_ok=True)
        result, found = f"{sum('skipped' not in row for row in rows)} loops timed", {"speed": rows}
    else:
        found = found_by_tests(section.file(out, ".log").read_text())
        counts = [f"{count} {word}" for word, count in found["counts"].items()]
        result = f"of {found['selected']} tests " + (", ".join(counts) or "none ended")
    if stopped:
        result = f"{result}; out of time"
    elif status != 0:
        result = f"{result}; exit status {status}"
    fine = not found.get("failed") and (stopped or status == 0)
    return {**about, "seconds": seconds, "fine": fine, "result": result, **found}


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="The JSON file; by default runs/device-DEVICE.json.")
@click.option("--measure", "recipe", type=click.Choice(list(RECIPES)), hidden=True)
def main(device: str, out: Path | None, recipe: str | None) -> None:
    """Test and measure ganfw on a device: print tables, and write all figures to a file."""
    out = (out or ROOT / "runs" / f"device-{device}.json").absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    todo = list(sections(device, out))
    if recipe:
        (section,) = (each for each in todo if each.name == recipe)
        measure(recipe, device, section.seconds, section.file(out, ".json"))
        return
    try:
        document: dict[str, Any] = {"environment": environment(choose_device(device)), "sections": []}
    except InputError as error:
        raise click.UsageError(str(error)) from error
    for section in todo:
        print(f"{section.name}: at most {section.seconds:.0f} s, {section.file(out, '.log')}", file=sys.stderr)
        document["sections"].append(report(section, out))
        out.write_text(json.dumps(document, indent=2) + "\n")
    about = document["environment"]
    print(out)
    print(f"\n{about['device_name']}, torch {about['torch']}, ganfw {about['ganfw']}, {about['threads']} threads\n")
    print("| section | result | seconds |\n|---|---|---|")
    for each in document["sections"]:
        print(f"| {each['name']} | {each['result']} | {each['seconds']:.0f} |")
    print()
    print(speed_table([row for each in document["sections"] for row in each.get("speed", ())]))
    sys.exit(not all(each["fine"] for each in document["sections"]))


if __name__ == "__main__":
    main()
