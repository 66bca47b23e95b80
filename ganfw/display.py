"""Pictures and tables, as a notebook shows them."""

import html
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ganfw.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


@frozen
class Picture:
    """A picture; a notebook shows it where it is the value of a cell.

    Attributes:
        png: the content of a PNG file.
    """

    png: bytes = field(repr=lambda png: f"<{len(png):,} bytes>")

    def _repr_png_(self) -> bytes:
        return self.png

    def save(self, path: str | Path) -> None:
        """Write the PNG file.

        Raises:
            RunError: the system refuses.
        """
        write_atomically(Path(path), self.png)

    def display(self, instead_of: Any = None) -> Any:
        """Show the picture in the output of the running cell of a notebook.

        Args:
            instead_of: what an earlier call returned, to replace that picture; None for a new place.

        Returns:
            The place, for the next call.
        """
        from IPython import display

        if instead_of is None:
            return display.display(self, display_id=True)
        instead_of.update(self)
        return instead_of


def show(images: "Tensor", *, columns: int | None = None, captions: Sequence[str] = ()) -> Picture:
    """Lay images out in rows, to look at in a notebook.

    Args:
        images: `(n, channels, height, width)` float32 in [0, 1], with 1 or 3 channels.
        columns: images in a row; by default, the grid is square or a little higher than wide.
        captions: a line of text below each image, or none.

    Raises:
        InputError: the samples are not images, or the captions are not as many.
    """
    from ganfw.images import image_grid, to_png

    return Picture(to_png(image_grid(images.cpu(), columns, captions=captions)))


def html_table(rows: Sequence[Sequence[str]], title: str = "") -> str:
    """Return a table of HTML.

    Args:
        rows: cells of one line, as many in each row; the first row is the head.
        title: what stands above it.
    """
    head, *body = [[html.escape(cell) for cell in row] for row in rows]
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in body]
    return (
        f"<table><caption>{html.escape(title)}</caption>"
        f"<thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead>"
        f"<tbody>{''.join(f'<tr>{line}</tr>' for line in lines)}</tbody></table>"
    )
