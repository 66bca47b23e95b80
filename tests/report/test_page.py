"""The page: what it holds, and that nothing of a stranger's file acts in it."""

import json
import shutil
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ganfw import RunError
from ganfw.report.page import render_page
from ganfw.report.reading import printable
from ganfw.report.run import read_runs

MakeRun = Callable[..., Path]


class Reader(HTMLParser):
    """Gathers tags, attributes and visible text, and checks that tags are balanced."""

    VOID = ("meta", "link", "img", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.headings: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "h2":
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "h2":
            self.headings[-1] += data
        if not {"script", "style"} & set(self._open):
            self.text += " ".join(data.split()) + " "


def read(*directories: Path) -> Reader:
    return Reader(render_page(read_runs(directories)))


def problems(page: Reader) -> str:
    return page.text.partition("Not everything could be read:")[2][:2000]


def test_a_page_about_one_run_has_everything(make_run: MakeRun) -> None:
    page = read(make_run())

    assert page.headings == [
        "What was run",
        "Samples during training",
        "Training",
        "Metrics",
        "Metrics during training",
        "Truncation",
        "Classes",
        "Nearest neighbours",
        "Where it comes from",
    ]
    for text in ("10 (finished)", "Fréchet distance", "312.4", "fewer samples than neighbours", "lower is better"):
        assert f" {text} " in page.text
    pictures = [attributes["alt"] for tag, attributes in page.tags if tag == "img" and "src" in attributes]
    assert pictures == [
        "Samples of tiny-1 at step 5",
        "Samples of tiny-1 at step 10",
        "Real samples",
        "Metrics of tiny-1 by threshold; the numbers are below",
        "Samples of tiny-1: a row for each threshold, the same noise in each column",
        "Samples of tiny-1, and below each the training image nearest to it",
    ]


def test_several_seeds_are_shown_as_mean_and_spread(make_run: MakeRun) -> None:
    distances = [312.4, 300.0, 330.5]  # mean 314.3, sample standard deviation 15.3
    page = read(*(make_run(f"run-{seed}", seed=seed, distance=each) for seed, each in enumerate(distances)))

    assert "3 runs that differ in nothing but the seed." in page.text
    assert " 314 ± 15 " in page.text
    assert len([tag for tag, attributes in page.tags if "band" in attributes.get("class", "")]) > 2


def test_runs_that_differ_are_compared_in_what_differs(make_run: MakeRun) -> None:
    other = make_run("b", distance=200.0)
    recipe = other / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("lr = 1e-05 ", "lr = 0.002 ", 1))
    page = read(make_run("a"), other)

    assert "What differs" in page.headings
    differing = page.text.partition("What differs")[2].partition("Samples during training")[0]
    labels = [f"optimizer.generator.lr = {rate}" for rate in ("1e-05", "0.002")]
    assert differing.split() == f"setting {' '.join(labels)} optimizer.generator.lr 1e-05 0.002".split()
    keys = [attributes["data-key"] for _, attributes in page.tags if "data-key" in attributes]
    assert [keys[0], keys[2], keys[len(keys) // 2], keys[len(keys) // 2 + 2]] == [
        labels[0],
        "312.4",
        labels[1],
        "200.0",
    ]


def test_a_run_that_has_only_begun_gives_a_page(make_run: MakeRun) -> None:
    run = make_run(evaluated=False)
    (run / "metrics.jsonl").write_text("")
    shutil.rmtree(run / "samples")
    page = read(run)

    assert page.headings == ["What was run", "Training", "Metrics", "Where it comes from"]
    assert "No window of training has ended yet" in page.text
    assert "Not evaluated yet." in page.text
    assert problems(page) == ""


def test_a_run_whose_training_ended_is_finished(make_run: MakeRun) -> None:
    """Epochs may end before `max_steps`: the last window is then cut short, or the step is the last one of all."""

    def step_of(max_steps: str, *steps: int) -> str:
        run = make_run(f"{max_steps}-{steps[-1]}", evaluated=False)
        shutil.rmtree(run / "samples")
        recipe = run / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("max_steps = 10 ", max_steps))
        (run / "metrics.jsonl").write_text("".join(json.dumps({"step": step}) + "\n" for step in steps))
        return read_runs([run])[0].headline["step"]

    assert step_of("max_steps = 250 ", 4, 8) == "8 of at most 250"
    assert step_of("max_steps = 250 ", 4, 8, 10) == "10 (finished)"
    assert step_of("max_steps = 8 ", 4, 8) == "8 (finished)"
    assert step_of("", 4, 8) == "8"
    assert step_of("", 4, 8, 10) == "10 (finished)"


def test_warnings_are_seen_at_the_top_and_with_their_steps(make_run: MakeRun) -> None:
    run = make_run("a")
    lines = [json.dumps({"step": step, "loss/generator": 1.0, "warnings": ["collapse"]}) for step in (4, 8)]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")

    alone = read(run)
    assert "warnings collapse" in alone.text.partition("What was run")[0]
    warned = " collapse at steps 4, 8: samples are nearly the same, or of a few kinds "
    assert warned in alone.text
    assert len([tag for tag, attributes in alone.tags if attributes.get("class") == "flag"]) == 2
    several = read(run, make_run("b"))
    table = several.text.partition(" warnings ")[2].partition("What was run")[0]
    assert " collapse " in table
    assert f" a ,{warned}" in several.text.replace("  ", " ")


def test_what_is_damaged_is_named_and_the_rest_is_shown(make_run: MakeRun) -> None:
    run = make_run()
    for name in ("recipe.toml", "environment.json", "metrics.jsonl", "eval/step-000010.json", "samples/real.png"):
        (run / name).write_bytes(b"\xff\x00nonsense\n")
    page = read(run)

    assert "Metrics during training" not in page.headings
    assert [line.strip() for line in problems(page).partition("What was run")[0].split("  ") if line.strip()] == [
        "eval/step-000010.json: not JSON",
        "recipe.toml: not UTF-8",
        "environment.json: not JSON",
        "metrics.jsonl: 1 of 1 lines cannot be read, the first is line 1",
        "samples/real.png: not a picture that can be decoded",
    ]


def test_evaluations_that_all_differ_from_the_plain_one_are_shown(
    make_run: MakeRun, write_evaluation: Callable[..., None]
) -> None:
    run = make_run(evaluated=False)
    for name in ("step-000005-count-500", "step-000010-count-500", "step-000010-count-500-truncation-0.5"):
        write_evaluation(run, name, count=500)
    points = [{"truncation": t, "metrics": {"recall": {"value": 0.5, "better": "higher"}}} for t in (0.5, None)]
    write_evaluation(run, "step-000010-count-500-truncation", points=points)
    shutil.copy(run / "samples" / "real.png", run / "eval" / "step-000010-count-500-neighbours.png")
    (shown,) = read_runs([run])

    assert [each.step for each in shown.evaluations] == [5, 10]
    assert [each.variant for each in shown.variants] == ["count-500-truncation-0.5"]
    assert shown.truncation is not None
    assert shown.truncation.variant == "count-500-truncation"
    assert set(shown.pictures) == {"neighbours"}


def test_a_plain_evaluation_comes_before_all_others(make_run: MakeRun, write_evaluation: Callable[..., None]) -> None:
    run = make_run()
    write_evaluation(run, "step-000020-count-500")
    points = [{"truncation": t, "metrics": {"recall": {"value": 0.5, "better": "higher"}}} for t in (0.5, None)]
    write_evaluation(run, "step-000010-count-500-truncation", points=points)
    (shown,) = read_runs([run])

    assert [(each.step, each.variant) for each in shown.evaluations] == [(5, ""), (10, "")]
    assert shown.truncation is not None
    assert shown.truncation.variant == "truncation"


def test_a_folder_that_is_a_link_is_not_followed(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(evaluated=False)
    (run / "samples").rename(tmp_path / "private")
    (run / "samples").symlink_to(tmp_path / "private")

    assert "Samples during training" not in read(run).headings


UNPRINTABLE = "\x1b[2J\u202e\u2066\u061c\u200f\ud800"
EVIL = UNPRINTABLE + '</script><script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="alert(1)'


@given(st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp", "L"))))
@example("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
def test_every_character_that_is_not_printable_is_a_blank(text: str) -> None:
    shown = printable(text)

    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        assert after == (before if before == "\n" or unicodedata.category(before).startswith("L") else " ")


def test_nothing_of_a_strangers_file_acts(make_run: MakeRun, write_evaluation: Callable[..., None]) -> None:
    run = make_run('a"><svg onload=alert(1)>')
    environment = json.loads((run / "environment.json").read_text())
    for key in environment:
        environment[key] = EVIL if isinstance(environment[key], str) else environment[key]
    environment["parts"] = {EVIL: dict.fromkeys(("kind", "name", "distribution", "version", "target"), EVIL)}
    (run / "environment.json").write_text(json.dumps(environment))
    lines = ({"step": step, EVIL: 1.0, "warnings": [EVIL]} for step in (1, 2))
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    metrics = {EVIL: {"value": 1.0, "better": EVIL}, "b": {"value": None, "reason": EVIL, "real_data_reason": EVIL}}
    write_evaluation(run, "step-000010", metrics=metrics, device=EVIL, seed=EVIL)
    write_evaluation(run, "step-000011-\u202e", metrics=metrics, embedding={"name": EVIL}, reference={"data": EVIL})
    text = EVIL.replace("\x1b", "").replace("\ud800", "")
    (run / "recipe.toml").write_text(f"[generator]\nuse = {json.dumps(text, ensure_ascii=False)}  # --set {text}\n")
    page = render_page(read_runs([run]))
    reader = Reader(page)

    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert {character for character in page if not character.isprintable()} == {"\n"}
    for tag, attributes in reader.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert "alert(1)" in reader.text


def test_the_policy_lets_only_the_pages_own_style_and_script_act(make_run: MakeRun) -> None:
    page = read(make_run(evaluated=False))

    (policy,) = (each["content"] for _, each in page.tags if each.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["script-src"].startswith("'sha256-")


def test_the_same_runs_give_the_same_page(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    shutil.copytree(run, tmp_path / "elsewhere" / run.name)

    assert render_page(read_runs([run])) == render_page(read_runs([tmp_path / "elsewhere" / run.name]))


def test_runs_of_the_same_name_get_different_labels(make_run: MakeRun) -> None:
    runs = [make_run("x/tiny-1"), make_run("y/tiny-1")]

    assert [run.label for run in read_runs([*runs, runs[0]])] == ["x/tiny-1", "y/tiny-1", "x/tiny-1 (3)"]


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path / "missing", "no such run directory; see: ganfw runs"),
        (tmp_path, "not a run directory: it has none of environment.json, recipe.toml, metrics.jsonl; see: ganfw runs"),
    ):
        with pytest.raises(RunError) as caught:
            read_runs([path])
        assert str(caught.value) == f"{path}: {message}"
