"""What schedules must do."""

import math

from ganfw.testing.subject import Subject

_TOTALS = (1, 2, 10, 1000, 93_800)


def gives_factors(subject: Subject) -> None:
    """It gives finite numbers >= 0 from the first step to the last, for any length; not all of them 0."""
    schedule = subject.part
    for total_steps in _TOTALS:
        for step in _steps(total_steps):
            where = f"in step {step} of {total_steps}"
            try:
                factor = schedule(step, total_steps)
            except ArithmeticError as error:
                raise AssertionError(f"{where} it fails: {error}") from error
            assert isinstance(factor, int | float), f"{where} it gives {type(factor).__name__}, not a float"
            assert 0 <= factor < math.inf, f"{where} it gives {factor}"
    factors = [schedule(step, 1000) for step in _steps(1000)]
    assert any(factors), "it is 0 all along: nothing would be learnt"


def depends_only_on_the_step(subject: Subject) -> None:
    """It is a function of the step: asked in another order, or again, it says the same."""
    schedule, other = subject.part, subject.part
    forwards = [schedule(step, 1000) for step in _steps(1000)]
    backwards = [other(step, 1000) for step in reversed(_steps(1000))]
    assert forwards == backwards[::-1], "asked in another order it gives other factors: it must have no state"


def _steps(total_steps: int) -> list[int]:
    """Return some steps, the first and the last among them."""
    return sorted({*range(0, total_steps, max(1, total_steps // 200)), total_steps - 1})
