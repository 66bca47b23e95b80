"""`ganfw play`: a page in the browser to explore what a run's generator has learnt."""

import webbrowser
from pathlib import Path

import click

from ganfw.cli.options import device_option, path_type, read_run, with_registry
from ganfw.errors import InputError
from ganfw.plugins.registry import Registry
from ganfw.terminal import say

MOST_RUNS = 2


@click.command(short_help="Explore a run, or two side by side, in the browser.")
@click.argument("folders", metavar="RUN...", nargs=-1, required=True, type=path_type)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to serve on.")
@click.option(
    "--port",
    default=0,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="P",
    help="The port; 0 for a free one.",
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@device_option
@with_registry
def play(folders: tuple[Path, ...], host: str, port: int, no_browser: bool, device: str, registry: Registry) -> None:
    """Serve a page about a RUN, or two side by side, until Ctrl-C, and print its address.

    The page draws samples of any checkpoint while noise, truncation and class are moved, walks between samples, and
    finds the training samples nearest to one. It follows a run that is still training, and writes nothing into it. The
    address has a token in it, without which nothing is answered, and is of this machine only unless --host says
    otherwise.
    """
    if len(folders) > MOST_RUNS:
        raise InputError(f"{len(folders)} runs: the page shows at most {MOST_RUNS} side by side")
    for folder in folders:
        read_run(folder, lambda each: each.recipe())
    from ganfw.play.runs import Models, PlayedRun
    from ganfw.play.serving import open_playground

    models = Models()
    runs = [PlayedRun(folder, registry, device, models) for folder in folders]
    for run in runs:
        run.about  # noqa: B018 - errors of the run come before the address
    playground = open_playground(runs, host, port)
    say(playground.address)
    if not no_browser:
        webbrowser.open(playground.address)
    try:
        playground.serve()
    except KeyboardInterrupt:
        say("ganfw: stopped", err=True)
