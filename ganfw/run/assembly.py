"""Assemble the experiment of a recipe, with weights of other runs where it says so."""

from collections.abc import Mapping
from typing import Any

from safetensors.torch import load
from torch import Tensor, nn

from ganfw.data import data_hash
from ganfw.distributed.process_group import ProcessGroup
from ganfw.engine.device import choose_device
from ganfw.errors import PartError, RunError
from ganfw.files import expanded, read_bounded, sha256
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import network_address
from ganfw.run.agreement import require_same, require_same_recipe
from ganfw.run.load import open_checkpoint
from ganfw.run.manifest import MAX_FILE_BYTES
from ganfw.training.builder import Builder
from ganfw.training.experiment import Experiment, build_experiment


def assemble(resolved: ResolvedRecipe, processes: ProcessGroup | None = None, *, initial: bool = True) -> Experiment:
    """Build every part that a recipe names, and put them together.

    Each part is built from a random stream of its own, so that changing one leaves the others' start as it was.
    torch's global random state is left as it was.

    Args:
        resolved: the recipe.
        processes: the processes that will train together; all but the main one get no callbacks. None for this one.
        initial: give networks the weights that `init` names; False where saved state is loaded afterwards.

    Raises:
        PartError: a part cannot be built, or does not fit; or weights do not fit their network.
        DataError: data is missing or damaged.
        InputError: a part refuses a parameter, or the device does not exist here.
        RunError: a run that a network starts from cannot be read, or the processes differ.
    """
    if processes:
        require_same_recipe(processes, resolved)
    starts = _Starts(resolved)
    load_state = starts.load if initial else _nothing
    builder = Builder(resolved, choose_device(resolved.settings.device), processes=processes, load=load_state)
    if processes and processes.size > 1:
        require_same(processes, {"data": data_hash(builder.batches.data)})
    experiment = build_experiment(builder)
    if processes and processes.size > 1:
        require_same(processes, {"initial weights": repr(starts.hashes)})
    experiment.initial_weights = starts.hashes
    return experiment


def _nothing(_address: str, _part: Any) -> None:
    pass


class _Starts:
    """The weights that networks start from, and their hashes."""

    def __init__(self, resolved: ResolvedRecipe) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self._resolved = resolved
        self._names = {network_address(name): name for name in resolved.network_names()}

    def load(self, address: str, part: Any) -> None:
        """Give a network the weights that its table names, if it names any."""
        if address not in self._names:
            return
        own = self._resolved.own_keys(address)
        if own["init"] is None:
            return
        weights, digest = read_weights(own["init"], address)
        load_weights(part, weights, f"[{address}] init = '{own['init']}'", partial=own["init_partial"])
        self.hashes[self._names[address]] = {"path": own["init"], "sha256": digest}


def read_weights(source: str, address: str) -> tuple[Mapping[str, Any], str]:
    """Return weights by name, and the hash of the file they come from.

    Args:
        source: a .safetensors file, or a run directory or checkpoint with a network at the same address.
        address: of the network: `"generator"`, `"networks.encoder"`.

    Raises:
        RunError: they cannot be read.
    """
    path = expanded(source)
    if path.suffix != ".safetensors":
        checkpoint = open_checkpoint(path)
        state = checkpoint.part_state(address)
        file = checkpoint.manifest.files.get(f"{address}.safetensors")
        is_network = isinstance(state, Mapping) and any(isinstance(value, Tensor) for value in state.values())
        if file is None or not is_network:
            raise RunError(
                f"{checkpoint.path}: '{address}' is not a network there, because its state is not weights by name; "
                "name a network"
            )
        return state, file.sha256
    content = read_bounded(path, MAX_FILE_BYTES)
    try:
        return load(content), sha256(content)
    except Exception as error:  # safetensors and torch refuse in ways of their own
        raise RunError(f"{path}: not a safetensors file, which it must be: {error}") from error


def load_weights(network: nn.Module, weights: Mapping[str, Any], label: str, *, partial: bool = False) -> None:
    """Give a network weights and buffers by name, and further state that is not a tensor, where both have it.

    Args:
        network: in place.
        weights: what a `state_dict` holds.
        label: how errors begin.
        partial: take those that fit, and leave the others; at least one must fit.

    Raises:
        PartError: they do not fit.
    """
    own = network.state_dict()
    shapes, found = (
        {name: tuple(value.shape) for name, value in state.items() if isinstance(value, Tensor)}
        for state in (own, weights)
    )
    wrong = [name for name in [*shapes, *found] if shapes.get(name) != found.get(name)]
    fitting = {name: value for name, value in weights.items() if name in own and name not in wrong}
    if not fitting.keys() & shapes.keys():
        raise PartError(
            f"{label} does not fit: no tensor there has the name and the shape of one of the network's; "
            "choose other weights"
        )
    if wrong and not partial:
        name = wrong[0]
        raise PartError(
            f"{label} does not fit: '{name}' is {found.get(name, 'missing')}, not {shapes.get(name, 'there at all')}; "
            "set init_partial = true to take what fits"
        )
    network.load_state_dict({**own, **fitting})
