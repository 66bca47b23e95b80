"""Numbers for people: ticks at round numbers, and values with as many digits as say something."""

import math
from collections.abc import Sequence

from attrs import frozen

DASH = "\N{EN DASH}"
"""What stands for a missing value."""

MOST_TICKS = 6
"""A logarithmic axis has no more marks than this, unless it has more powers of ten."""


@frozen
class Axis:
    """An axis: the values at its beginning and at its end, and where it has marks; on a logarithmic one all are > 0."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Return how far along the axis a value lies, from 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def labels(self) -> list[str]:
        """Write the ticks; on a linear axis all with the same number of decimals."""
        if self.log:
            return [minus(f"{tick:g}".replace("e-0", "e-")) for tick in self.ticks]
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        largest = max(abs(tick) for tick in self.ticks)
        if largest >= 1e7 or step < 1e-4:
            return [minus(f"{tick:.2e}") if tick else "0" for tick in self.ticks]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step, decimals) != round(step, decimals + 1):  # a step of 0.25
            decimals += 1
        return [minus(f"{tick:,.{decimals}f}") for tick in self.ticks]


def round_axis(values: Sequence[float], *, ends_at_data: bool = False) -> Axis:
    """Return an axis over values, with about five ticks at multiples of 1, 2, 2.5 or 5 times a power of ten.

    Args:
        values: what must lie on it; it reaches down to 0 if that is near.
        ends_at_data: end at the largest value, not at the tick above it.
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    if 0 < low <= 0.4 * high:
        low = 0.0
    elif high < 0 and high >= 0.4 * low:
        high = 0.0
    if not high - low > 1e-12 * max(abs(low), abs(high)):  # one value
        low, high = (min(low, 0.0), max(high, 0.0)) if low else (0.0, 1.0)
    least = high / 5 - low / 5
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = [index * step for index in range(first, last + 1)]
    if ends_at_data:
        ticks = [tick for tick in ticks if low <= tick <= high + step * 1e-9]
        return Axis(low, high, tuple(ticks or [low]))
    return Axis(ticks[0], ticks[-1], tuple(ticks))


def fitting_axis(values: Sequence[float]) -> Axis:
    """Return a logarithmic axis over values that are positive and differ by a factor of 20, and else a linear one."""
    low, high = min(values), max(values)
    if not 0 < 20 * low <= high < math.inf:
        return round_axis(values)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    rows = [[factor * 10.0**power for power in powers for factor in factors] for factors in ((1, 2, 5), (1, 3), (1,))]
    ticks = [tuple(tick for tick in row if low <= tick <= high) for row in rows]
    return Axis(low, high, next((row for row in ticks if len(row) <= MOST_TICKS), ticks[-1]), log=True)


def shown(value: float | None) -> str:
    """Write a number with four significant digits; a dash for none."""
    if value is None:
        return DASH
    if value == round(value) and abs(value) < 1e7:
        return minus(f"{value:,.0f}")
    if abs(value) >= 1e7 or abs(value) < 1e-4:
        return minus(f"{value:.3e}")
    text = f"{value:,.{_decimals(value, 4)}f}"
    return minus(text.rstrip("0").rstrip(".") if "." in text else text)


def with_deviation(mean: float | None, deviation: float | None) -> str:
    """Write a mean with as many decimals as its deviation has, which has two significant digits."""
    if mean is None or not deviation:
        return shown(mean) if deviation is None else f"{shown(mean)} ± 0"
    if max(abs(mean), deviation) >= 1e7 or deviation < 1e-6:
        return f"{shown(mean)} ± {minus(f'{deviation:.1e}')}"
    decimals = _decimals(deviation, 2)
    return minus(f"{mean:,.{decimals}f} ± {deviation:,.{decimals}f}")


def _decimals(value: float, digits: int) -> int:
    """Return how many decimals show this many significant digits."""
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def minus(text: str) -> str:
    """Write minus signs as such, not as hyphens."""
    return text.replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """Write a duration in its two largest units."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"
