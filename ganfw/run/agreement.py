"""Whether all processes of a run train the same: the same recipe, packages, data and checkpoint."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version

import torch

from ganfw.distributed.process_group import ProcessGroup
from ganfw.errors import RunError
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import TABLES


def require_same(processes: ProcessGroup, what: Mapping[str, str | None]) -> None:
    """Make sure that all processes of a run have the same.

    Args:
        processes: those that train together.
        what: what is compared, by the name that the error gives it; the same names in all processes.

    Raises:
        RunError: a process has something else.
    """
    hashes = b"".join(hashlib.sha256(repr(value).encode()).digest() for value in what.values())
    digests = torch.frombuffer(bytearray(hashes), dtype=torch.uint8).unflatten(0, (len(what), -1))
    gathered = processes.gather(digests)
    same = (gathered == gathered[0]).all(-1)  # (processes, len(what))
    differing = [name for index, name in enumerate(what) if not same[:, index].all()]
    if differing:
        others = ", ".join(str(rank) for rank in range(processes.size) if not same[rank].all())
        raise RunError(
            f"the processes of this run differ in {', '.join(differing)}: process {others} from process 0; "
            "start all of them with the same command, packages and data"
        )


def require_same_recipe(processes: ProcessGroup, resolved: ResolvedRecipe) -> None:
    """Make sure that all processes have the same recipe, of the same versions of the same packages.

    Raises:
        RunError: a process has another.
    """
    tables = resolved.qualified().tables
    packages = sorted({(part.plugin.distribution, part.plugin.version) for part in resolved.parts.values()})
    versions = f"{version('ganfw')} {torch.__version__} {packages}"
    recipe = {f"[{name}]": repr(tables.get(name)) for name in ("run", *(table.name for table in TABLES))}
    require_same(processes, {**recipe, "versions": versions})
