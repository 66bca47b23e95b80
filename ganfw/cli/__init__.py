"""The command line. Nothing here imports torch until a command needs it."""

import contextlib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ganfw.cli.evaluation import evaluate
from ganfw.cli.export import export
from ganfw.cli.inspect import parts, plugins, recipes
from ganfw.cli.new import new
from ganfw.cli.play import play
from ganfw.cli.recipe import check, show
from ganfw.cli.reference import reference
from ganfw.cli.report import report
from ganfw.cli.runs import runs, table
from ganfw.cli.sampling import interpolate, invert, sample
from ganfw.cli.sweep import sweep
from ganfw.cli.train_evaluator import train_evaluator
from ganfw.cli.training import resume, run
from ganfw.cli.verify import verify
from ganfw.errors import GanfwError, PartFailure, RunError, size_problem
from ganfw.plugins.discovery import add_commands
from ganfw.terminal import say, surviving_streams

_OF_PLUGINS = "ganfw.cli.of_plugins"
"""Where the context keeps the group that has the verbs of plugins too."""


class _Refusal(click.ClickException):
    """A `GanfwError` on its way to the terminal."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        say(f"Error: {self.message}", err=True)


class _Group(click.Group):
    """Prints an error that a user can fix as one message, with exit status 2; all others keep their traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        with surviving_streams():
            return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _refusing():
            _require_working_directory()
            try:
                return super().invoke(ctx)
            except PartFailure as error:
                trace = "".join(traceback.format_exception(error.__cause__ or error))
                say(f"Error: {error}\n\n{trace.rstrip()}", err=True)
                ctx.exit(1)
            except KeyboardInterrupt:
                say("ganfw: interrupted", err=True)
                ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of work, not of the alphabet; those of plugins last."""
        return list(self._with_plugins(ctx).commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; plugins are asked only for one that is not ganfw's own."""
        return self.commands.get(cmd_name) or self._with_plugins(ctx).commands.get(cmd_name)

    def _with_plugins(self, ctx: click.Context) -> click.Group:
        if _OF_PLUGINS not in ctx.meta:
            group = click.Group(commands=dict(self.commands))
            with _refusing():
                add_commands(group)
            ctx.meta[_OF_PLUGINS] = group
        found: click.Group = ctx.meta[_OF_PLUGINS]
        return found


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except GanfwError as error:
        raise _Refusal(str(error)) from None
    except Exception as error:
        if reason := size_problem(error):
            raise _Refusal(
                f"this is more than the memory holds: {reason}; ask for less, or lower --batch-size"
            ) from None
        raise


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:  # libraries that torch loads would end the process without a word of why
        raise RunError("the working directory does not exist any more; change to another one with cd") from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ganfw")
def main() -> None:
    """GAN experiments in PyTorch, assembled by recipes from registered parts.

    \b
    First steps:
      ganfw run mnist_mlp_dash            train a GAN on MNIST, in seconds
      ganfw sample runs/mnist_mlp_dash-1  draw 25 digits with it
      ganfw parts                         list what recipes can name
    """  # noqa: D301 - click reads the backspace character


_OF_SAMPLES = (sample, interpolate, invert, play, evaluate, report, export)
_MAKING = (run, resume, sweep, *_OF_SAMPLES, reference, train_evaluator)
_LOOKING = (runs, table, check, show, verify, parts, plugins, recipes)
for command in (*_MAKING, *_LOOKING, new):
    main.add_command(command)
