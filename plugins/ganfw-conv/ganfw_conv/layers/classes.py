"""What conditional networks need to know of the data."""

from ganfw import InputError


def require_classes(num_classes: int | None) -> int:
    """Return how many classes the data has.

    Raises:
        InputError: it has none.
    """
    if num_classes is None:
        raise InputError("a conditional network needs data with labels; this data has none")
    return num_classes
