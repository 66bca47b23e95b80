"""`ganfw report`: a page about one run, or about several compared."""

from pathlib import Path

import click

from ganfw.cli.options import output_option, path_type, require_place
from ganfw.errors import InputError
from ganfw.files import write_atomically
from ganfw.terminal import say


@click.command(short_help="Write a page about a run, or one that compares several.")
@click.argument("run_directories", metavar="RUN...", nargs=-1, required=True, type=path_type)
@output_option("The page.", default="report.html", show_default=True)
def report(run_directories: tuple[Path, ...], output: Path) -> None:
    """Write one HTML file about each RUN, or compare several, and print its path.

    The file holds all it shows: it needs no network, and can be sent, printed and read without scripts. Runs that
    differ in nothing but the seed are shown as mean and spread.
    """
    if output.suffix not in (".html", ".htm"):
        raise InputError(f"{output}: a report is an .html file")
    require_place(output)
    from ganfw.report.page import render_page
    from ganfw.report.run import read_runs

    write_atomically(output, render_page(read_runs(run_directories)).encode())
    say(output)
