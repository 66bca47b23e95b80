"""Whether the tables of a recipe fit what its parts ask for: nothing missing, unused, or trained by nobody."""

from collections.abc import Iterator

from attrs import frozen

from ganfw.errors import did_you_mean
from ganfw.plugins.context import CONTEXT
from ganfw.recipe.origins import KeyPath
from ganfw.recipe.resolved import ResolvedRecipe
from ganfw.recipe.tables import NETWORKS, network_address, table_of

_SOURCES = {
    "noise": "noise",
    "z_dim": "noise",
    "loss": "loss",
    "regularizers": "regularizers",
    "augmentations": "augmentations",
}
"""The tables that context arguments come from; any other parameter is the name of a network."""
_MAY_BE_EMPTY = ("regularizers", "augmentations")
_MUST_BE_USED = ("noise", "generator", "discriminator", "networks", "loss", *_MAY_BE_EMPTY)


@frozen
class Misfit:
    """What does not fit, where it was written, and what to do about it."""

    path: KeyPath
    text: str
    hints: tuple[str, ...] = ()


def misfits(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    """Yield everything in which a recipe does not fit its parts."""
    yield from _misnamed(resolved)
    yield from _missing(resolved)
    yield from _unused(resolved)
    yield from _of_no_network(resolved)
    yield from _averaged_twice(resolved)
    yield from _untrained(resolved)


def _source(name: str) -> str | None:
    """Return the table that a context argument comes from, None if it comes from none."""
    return _SOURCES.get(name) if name in CONTEXT else network_address(name)


def _misnamed(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    for name in resolved.names_in("networks"):
        if name in (*NETWORKS, *CONTEXT):
            instead = f"the {name} has a table of its own, [{name}]" if name in NETWORKS else "choose another name"
            yield Misfit(("networks", name), f"no network can be called '{name}' in [networks]", (instead,))


def _missing(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    for address, part in resolved.parts.items():
        signature = part.signature()
        for name in signature.context:
            source = _source(name)
            if source is None or source in (*_MAY_BE_EMPTY, *resolved.parts) or name in signature.optional_context:
                continue
            kind = table_of(source).kind
            hint = "" if name in CONTEXT else did_you_mean(name, [*resolved.network_names(), *CONTEXT])
            text = f"{part} asks for '{name}': the recipe has no [{source}]"
            yield Misfit((*address.split("."), "use"), text, (hint, f"add the table; see: ganfw parts {kind}"))


def _unused(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    used: set[str | None] = set()
    for address, part in resolved.parts.items():
        context = part.signature().context
        used.update(map(_source, context))
        if "networks" in context and address in ("step", "sampler"):
            used.update(map(network_address, resolved.network_names()))
    for address in resolved.parts:
        table, _, name = address.partition(".")
        misnamed = table == "networks" and name in (*NETWORKS, *CONTEXT)
        if table in _MUST_BE_USED and not misnamed and not {table, address} & used:
            text = f"[{address}] is not used: {resolved.parts['step']} does not ask for it"
            yield Misfit(tuple(address.split(".")), text, ("remove the table, or choose another step",))


def _of_no_network(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    """Yield schedules without an optimizer, and optimizers and averagings of networks that are not there."""
    networks = resolved.network_names()
    for name in resolved.names_in("schedule"):
        if f"optimizer.{name}" not in resolved.parts:
            hint = did_you_mean(name, resolved.names_in("optimizer"))
            text = f"[schedule.{name}] has no optimizer to follow: the recipe has no [optimizer.{name}]"
            yield Misfit(("schedule", name), text, (hint,))
    for table in ("optimizer", "averaging"):
        for name in resolved.names_in(table):
            for network in resolved.networks_of(f"{table}.{name}"):
                if network not in networks:
                    text = f"[{table}.{name}] is for the network '{network}', which the recipe does not have"
                    hint = did_you_mean(network, networks) or f"its networks are {', '.join(networks)}"
                    yield Misfit((table, name), text, (hint, f'[{table}.{name}] may say: networks = ["…"]'))
                elif table == "optimizer" and resolved.own_keys(network_address(network))["frozen"]:
                    text = f"[optimizer.{name}] is for the network '{network}', which is frozen"
                    hint = "leave it out of the optimizer's networks, or remove the key frozen"
                    yield Misfit((table, name), text, (hint,))


def _averaged_twice(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    """Yield averagings whose means would move more than once a step, and those that share a network."""
    for name in resolved.names_in("averaging"):
        networks = resolved.networks_of(f"averaging.{name}")
        trained_by = {each: resolved.networks_of(f"optimizer.{each}") for each in resolved.names_in("optimizer")}
        movers = {tuple(each for each, own in trained_by.items() if network in own) for network in networks} - {()}
        if len(movers) > 1:
            optimizers = ", ".join(sorted({each for some in movers for each in some}))
            text = f"[averaging.{name}] is for networks of several optimizers, {optimizers}: each would move all means"
            yield Misfit(("averaging", name), text, ("give the networks of each optimizer an averaging of their own",))
    first: dict[str, str] = {}
    for name in resolved.names_in("averaging"):
        for network in resolved.networks_of(f"averaging.{name}"):
            if network in first:
                text = f"[averaging.{name}] is for the network '{network}', and so is [averaging.{first[network]}]"
                yield Misfit(("averaging", name), text, ("samples are made with one of both: remove the other",))
            first[network] = name


def _untrained(resolved: ResolvedRecipe) -> Iterator[Misfit]:
    held = {network for name in resolved.names_in("optimizer") for network in resolved.networks_of(f"optimizer.{name}")}
    for name in resolved.network_names():
        address = network_address(name)
        if name not in held and not resolved.own_keys(address)["frozen"]:
            text = f"network '{name}' is not trained: no optimizer holds it"
            hint = f'add [optimizer.{name}], or "{name}" to the networks of another, or frozen = true to [{address}]'
            yield Misfit(tuple(address.split(".")), text, (hint,))
