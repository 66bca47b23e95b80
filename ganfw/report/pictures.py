"""Pictures for the page: read from strangers' files, checked, and written anew into the page itself."""

import base64
import io
import warnings
from pathlib import Path

from attrs import frozen

from ganfw.errors import RunError
from ganfw.files import read_bounded

MAX_BYTES = 32 << 20
"""A picture file larger than this (32 MiB) is refused."""

MAX_PIXELS = 1 << 24
"""A picture of more pixels than this (16.8 million) is refused before it is decoded."""


@frozen
class Picture:
    """A picture inside the page.

    Attributes:
        address: the whole picture as a `data:` address.
        width: in pixels.
        height: in pixels.
    """

    address: str
    width: int
    height: int


def load_picture(path: Path) -> Picture:
    """Read a PNG file and write its pixels anew, grey or in colour; nothing else of it is kept.

    Raises:
        RunError: the file is missing, too large, or no picture that can be decoded.
    """
    from PIL import Image

    content = read_bounded(path, MAX_BYTES)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise RunError(f"{path}: more than {MAX_PIXELS} pixels")
            pixels = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
        pixels.info.clear()
        written = io.BytesIO()
        pixels.save(written, "PNG", optimize=True)
    except RunError:
        raise
    except Exception:  # the decoders of damaged files raise whatever they run into
        raise RunError(f"{path}: no picture that can be decoded") from None
    return Picture(f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}", *pixels.size)
