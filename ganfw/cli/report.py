"""`ganfw report`: a page about one run, or about several compared."""

from pathlib import Path

import click

from ganfw.cli.options import is_sweep, output_option, path_type, require_place
from ganfw.errors import InputError
from ganfw.files import write_atomically
from ganfw.terminal import say


@click.command(short_help="Write a page about a run, several, or a sweep.")
@click.argument("folders", metavar="RUN...|SWEEP", nargs=-1, required=True, type=path_type)
@click.option(
    "--metric", metavar="NAME", help="The metric that compares the settings of a SWEEP.  [default: that of its search]"
)
@output_option("The page.", default="report.html", show_default=True)
def report(folders: tuple[Path, ...], metric: str | None, output: Path) -> None:
    """Write one HTML file about a RUN, several compared, or the folder of a SWEEP, and print its path.

    The file needs no network and no other file. You can send it, print it, and read it without scripts. Runs that
    differ only in the seed are shown as mean and spread. The page of a sweep shows which settings matter, and which are
    the best.
    """
    if output.suffix not in (".html", ".htm"):
        raise InputError(f"-o {output}: the name must end in .html")
    require_place(output)
    if is_sweep(folders):
        from ganfw.sweep.page import render_sweep

        page = render_sweep(folders[0], metric)
    elif metric is not None:
        raise InputError(f"--metric {metric}: it is for the folder of one sweep; leave it out")
    else:
        from ganfw.report.page import render_page
        from ganfw.report.run import read_runs

        page = render_page(read_runs(folders))
    write_atomically(output, page.encode())
    say(output)
