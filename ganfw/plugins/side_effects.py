"""Load what plugins bring: undo what it does to the process, and say who did it; refuse it for any exception."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from ganfw.errors import GanfwError
from ganfw.terminal import prints_aside, say


@contextlib.contextmanager
def loading(who: str, refusal: Callable[[BaseException], GanfwError]) -> Iterator[None]:
    """Within the block, keep standard output, the working directory and torch's defaults from being changed.

    What is printed goes to standard error, and what is changed is put back. A line on standard error names who did it.

    Args:
        who: what is loaded in the block: `"plugin 'ganfw-x'"`.
        refusal: makes the error that is raised instead of any other, `SystemExit` among them.
    """
    folder, dtype, grad = _state()
    try:
        with prints_aside() as aside:
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise refusal(error) from error
    finally:
        changed_folder, changed_dtype, changed_grad = _state()
        if changed_folder != folder and folder is not None:
            os.chdir(folder)
        if (changed_dtype, changed_grad) != (dtype, grad):
            import torch

            torch.set_default_dtype(dtype or torch.float32)
            torch.set_grad_enabled(grad)
        done = {
            "prints, which is shown on standard error": aside.written,
            "changes the working directory, which is undone": changed_folder != folder,
            "changes torch's default dtype, which is undone": changed_dtype != dtype,
            "switches gradients on or off, which is undone": changed_grad != grad,
        }
        for deed, is_done in done.items():
            if is_done:
                say(f"{who} {deed}: it should not, while it is loaded", err=True)


def _state() -> tuple[str | None, Any, bool]:
    """Return the working directory, torch's default dtype or None for float32, and whether there are gradients."""
    try:
        folder = os.getcwd()  # noqa: PTH109 - a text, for speed
    except FileNotFoundError:
        folder = None
    if (torch := sys.modules.get("torch")) is None or not hasattr(torch, "is_grad_enabled"):
        return folder, None, True
    dtype = torch.get_default_dtype()
    return folder, None if dtype == torch.float32 else dtype, torch.is_grad_enabled()
