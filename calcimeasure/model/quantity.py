"""A number that never travels without its unit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its standard deviation and unit.

    Parameters
    ----------
    value : float
        The estimate.
    sd : float or None
        Standard deviation of the estimate; `None` means that it is not known, never that it is zero.
    unit : str
        ``"px"``, ``"mm"``, ``"mm2"`` and so on.
    components : tuple of (str, float)
        What `sd` consists of, in the same unit, where that is known; the squares add up.

    Examples
    --------
    >>> Quantity(12.0, 0.5, "mm2")
    Quantity(value=12.0, sd=0.5, unit='mm2')
    """

    value: float
    sd: float | None
    unit: str
    components: tuple[tuple[str, float], ...] = field(default=(), repr=False, compare=False)
