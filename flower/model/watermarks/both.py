"""Policies put together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flower.errors import WatermarkError
from flower.model.time import I64, Duration
from flower.model.watermarks.policy import NOTHING, Estimate, Told, WatermarkPolicy, idle_of, idle_text


@dataclass(frozen=True, slots=True, init=False, repr=False)
class _Of(WatermarkPolicy):
    """Several policies, of whose watermarks one is chosen."""

    policies: tuple[WatermarkPolicy, ...]
    idle_us: int | None

    _chosen: ClassVar[np.ufunc]

    def __init__(self, *policies: WatermarkPolicy, idle: Duration | None = None) -> None:
        name = type(self).__name__
        hint = f"write {name}(BoundedDisorder('1min'), Percentile(0.99)), for example"
        if len(policies) < 2:
            raise WatermarkError(f"{name} takes at least two policies", got=repr(policies), hint=hint)
        for policy in policies:
            if not isinstance(policy, WatermarkPolicy):
                raise WatermarkError(f"{name} takes watermark policies", got=repr(policy)[:80], hint=hint)
            if policy.idle_us is not None:
                raise WatermarkError(
                    f"a partition is idle for {name} as a whole", got=repr(policy), hint=f"give {name} the `idle`"
                )
        object.__setattr__(self, "policies", policies)
        object.__setattr__(self, "idle_us", idle_of(idle))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.policies))}{idle_text(self.idle_us)})"

    @property
    def leaves(self) -> tuple[WatermarkPolicy, ...]:
        """The policies that this one is made of."""
        return tuple(leaf for policy in self.policies for leaf in policy.leaves)

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        before = estimate.parts or (Estimate(),) * len(self.policies)
        observed = [policy.observe(part, time, now, told) for policy, part in zip(self.policies, before, strict=True)]
        parts = tuple(part for _, part in observed)
        watermark = int(self._chosen.reduce([part.watermark for part in parts]))
        met: I64 = self._chosen.reduce([each for each, _ in observed])
        return met, replace(estimate.seen(time, now), watermark=watermark, parts=parts)


class EarliestOf(_Of):
    """The careful one of several policies: the watermark is the earliest of theirs, partition by partition.

    Parameters
    ----------
    *policies : WatermarkPolicy
        At least two. ``idle`` is given here, not to one of them.
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Examples
    --------
    >>> from flower.model.watermarks import BoundedDisorder, Percentile
    >>> EarliestOf(BoundedDisorder("1min"), Percentile(0.99))
    EarliestOf(BoundedDisorder('1min'), Percentile(0.99))
    """

    __slots__ = ()
    _chosen = np.minimum


class LatestOf(_Of):
    """The eager one of several policies: the watermark is the latest of theirs, partition by partition.

    A source whose rows tell the watermark now and then, for example, is not held longer than its disorder is known to
    last: ``LatestOf(Punctuated("complete_to"), BoundedDisorder("1h"))``.

    Parameters
    ----------
    *policies : WatermarkPolicy
        At least two. ``idle`` is given here, not to one of them.
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Examples
    --------
    >>> from flower.model.watermarks import BoundedDisorder, Punctuated
    >>> LatestOf(Punctuated("complete_to"), BoundedDisorder("1h"), idle="1min")
    LatestOf(Punctuated('complete_to'), BoundedDisorder('1h'), idle='1min')
    """

    __slots__ = ()
    _chosen = np.maximum
