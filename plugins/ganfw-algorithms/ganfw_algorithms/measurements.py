"""Numbers that a callback measures during training, and what is held out to measure with."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge

from ganfw import Callback, RunError, TensorData, Training, write_atomically

EverySteps = Annotated[int, Ge(1), "steps between two measurements; there is one at the end too"]


class Measurement(Callback):
    """Measures every few steps and at the end, prints what it found, and writes it into the run directory.

    The file is `NAME.json`, a list of objects, each with `step` and the numbers by name.
    """

    needs_directory = True
    name: str
    """What its file is called."""

    def __init__(self, every_steps: int) -> None:
        self.every_steps = every_steps
        self.found: list[dict[str, float]] = []

    @abstractmethod
    def measure(self, training: Training) -> Mapping[str, float]:
        """Return the numbers, by name. Networks are to be left as they are."""

    def on_step(self, training: Training) -> None:
        """Measure if it is time."""
        if training.step % self.every_steps and not training.finished:
            return
        numbers = {name: round(value, 4) for name, value in self.measure(training).items()}
        self.found.append({"step": training.step, **numbers})
        path = training.require_directory(self.name) / f"{self.name}.json"
        try:
            write_atomically(path, (json.dumps(self.found, indent=2) + "\n").encode())
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error.strerror}") from error
        training.say(f"  {self.name}: " + ", ".join(f"{name} {value:g}" for name, value in numbers.items()))

    def state_dict(self) -> dict[str, Any]:
        """Return what was found so far."""
        return {"found": self.found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.found = list(state["found"])


def held_out(training: Training, name: str) -> TensorData:
    """Return the part of the recipe's data that is called `"test"`, on the run's device.

    Raises:
        RunError: the experiment has no recipe, or its data no such part in memory.
    """
    resolved = training.experiment.resolved
    if resolved is None:
        raise RunError(f"callback '{name}' needs a recipe, which says what the data is")
    parameters = resolved.parameters("data")
    if "split" not in parameters:
        raise RunError(f"callback '{name}' needs data with a key 'split', of which the part 'test' is held out")
    data: TensorData = resolved.parts["data"].load()(**{**parameters, "split": "test"})
    return data.to(training.experiment.device)
