"""The oracle's policies: how one partition knows its watermark, a row at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping

from flower.model.reference.rows import plus
from flower.model.time import MIN_TIME
from flower.model.watermarks import (
    BoundedDisorder,
    EarliestOf,
    LatestOf,
    ManualWatermark,
    Percentile,
    Punctuated,
    WatermarkPolicy,
)


class Estimator:
    """The watermark of a partition that never goes back.

    `before` is called before each row with what the source says then, and after the last; `after` with each row's event
    time and the punctuations that it carries, by policy.
    """

    watermark = MIN_TIME

    def before(self, mark: int) -> None:
        """The source says that no row before ``mark`` follows."""

    def after(self, time: int, carried: Mapping[WatermarkPolicy, int]) -> None:
        """A row has come."""


class _Disorder(Estimator):
    def __init__(self, bound: int) -> None:
        self.bound = bound

    def after(self, time: int, carried: Mapping[WatermarkPolicy, int]) -> None:
        self.watermark = max(self.watermark, plus(time, -self.bound))


class _Manual(Estimator):
    def before(self, mark: int) -> None:
        self.watermark = max(self.watermark, mark)


class _Punctuated(Estimator):
    def __init__(self, policy: Punctuated) -> None:
        self.policy = policy

    def after(self, time: int, carried: Mapping[WatermarkPolicy, int]) -> None:
        self.watermark = max(self.watermark, carried.get(self.policy, MIN_TIME))


class _Percentile(Estimator):
    """Weights of lags by the greatest lag of their bucket; a row weighs 2**20."""

    def __init__(self, q: float) -> None:
        self.q, self.rows, self.newest = q, 0, MIN_TIME
        self.bound: int | None = None
        self.weights: dict[int, int] = {}

    def after(self, time: int, carried: Mapping[WatermarkPolicy, int]) -> None:
        self.rows += 1
        self.newest = max(self.newest, time)
        bucket = _greatest_of_bucket(self.newest - time)
        self.weights[bucket] = self.weights.get(bucket, 0) + 2**20
        if self.rows in (16, 32, 64, 128, 256, 512) or self.rows % 1024 == 0:
            self.bound = self._quantile()
        if self.rows % 1024 == 0:
            self.weights = {bucket: weight * 7 // 8 for bucket, weight in self.weights.items()}
        if self.bound is not None:
            self.watermark = max(self.watermark, plus(self.newest, -self.bound))

    def _quantile(self) -> int:
        needed, so_far = math.ceil(self.q * sum(self.weights.values())), 0
        for bucket in sorted(self.weights):
            so_far += self.weights[bucket]
            if so_far >= needed:
                return bucket
        raise AssertionError("the whole is at least any share of it")


def _greatest_of_bucket(lag: int) -> int:
    """Lags that agree in their four leading bits share a bucket."""
    spare = max(0, lag.bit_length() - 4)
    return (lag >> spare << spare) + (1 << spare) - 1


class _Several(Estimator):
    def __init__(self, policy: EarliestOf | LatestOf) -> None:
        self.parts = [estimator(each) for each in policy.policies]
        self.choose = min if isinstance(policy, EarliestOf) else max

    def before(self, mark: int) -> None:
        for part in self.parts:
            part.before(mark)
        self.watermark = self.choose(part.watermark for part in self.parts)

    def after(self, time: int, carried: Mapping[WatermarkPolicy, int]) -> None:
        for part in self.parts:
            part.after(time, carried)
        self.watermark = self.choose(part.watermark for part in self.parts)


def estimator(policy: WatermarkPolicy) -> Estimator:
    """That of a policy, before the first row."""
    match policy:
        case BoundedDisorder():
            return _Disorder(policy.bound_us)
        case ManualWatermark():
            return _Manual()
        case Punctuated():
            return _Punctuated(policy)
        case Percentile():
            return _Percentile(policy.q)
        case EarliestOf() | LatestOf():
            return _Several(policy)
    return _Disorder(0)
