"""The command line. Nothing here imports torch until a command needs it."""

from typing import Any

import click

from ganfw.cli.evaluation import evaluate
from ganfw.cli.inspect import parts, plugins, recipes
from ganfw.cli.new import new
from ganfw.cli.recipe import check, show
from ganfw.cli.report import report
from ganfw.cli.sampling import interpolate, sample
from ganfw.cli.train_evaluator import train_evaluator
from ganfw.cli.training import resume, run
from ganfw.errors import GanfwError


class _Refusal(click.ClickException):
    """A `GanfwError` on its way to the terminal."""

    exit_code = 2


def _printable(text: str) -> str:
    """Blank what a terminal would obey: an error may quote a stranger's file."""
    return "".join(character if character.isprintable() or character == "\n" else " " for character in text)


class _Group(click.Group):
    """Tells errors that a user can mend in one message, with exit status 2; all others keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GanfwError as error:
            raise _Refusal(_printable(str(error))) from None
        except KeyboardInterrupt:
            click.echo("ganfw: interrupted", err=True)
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of work, not of the alphabet."""
        return list(self.commands)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ganfw")
def main() -> None:
    """GAN experiments in PyTorch, assembled by recipes from registered parts.

    \b
    First steps:
      ganfw run mnist_mlp --set run.epochs=2    train the classic MNIST GAN for two epochs
      ganfw sample runs/mnist_mlp-1             look at what it makes
      ganfw parts                               see what recipes can name
    """  # noqa: D301 - click reads the backspace character


_MAKING = (run, resume, sample, interpolate, evaluate, report, train_evaluator)
_LOOKING = (check, show, parts, plugins, recipes)
for command in (*_MAKING, *_LOOKING, new):
    main.add_command(command)
