"""People, auctions and bids as numbers tell them: event ``n`` is a pure function of the seed and of ``n``.

The parameters and proportions are those of Apache Beam's Nexmark generator. Of every 50 events one is a new person,
three are new auctions and 46 are bids. The random values are the project's own: a hash of seed, event and column, so
that any range of events is made by itself, on any machine, and no column is made that nobody reads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import SourceError
from flower.model.time import I64, instant_us

Kind = Literal["persons", "auctions", "bids"]
U64: TypeAlias = npt.NDArray[np.uint64]

CYCLE = 50
PLACES: dict[Kind, tuple[int, int]] = {"persons": (0, 1), "auctions": (1, 3), "bids": (4, 46)}
"""Where the events of a kind stand in every cycle: the first of them, and how many."""

FIRST_ID = 1000
FIRST_CATEGORY, CATEGORIES = 10, 5
_HOT = 100
"""One in so many people and auctions is a hot one."""
_LEAD = 10
"""How many people and auctions may be named before they are new themselves."""
_STRIDE = 953
"""A prime: in steps of so many, a group of events comes in an order of its own."""
_CHUNK = 1 << 16
_LEAST_OPEN_US = 1000

_STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
_CITIES = (
    *("Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland"),
    *("Bend", "Redmond", "Seattle", "Kent", "Cheyenne"),
)
_FIRST_NAMES = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST_NAMES = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, dtype, nullable=False) for name, dtype in columns.items()])


_INT, _TEXT, _TIME = pa.int64(), pa.large_string(), pa.timestamp("us", "UTC")
SCHEMAS: Mapping[Kind, pa.Schema] = MappingProxyType(
    {
        "persons": _schema(
            id=_INT,
            name=_TEXT,
            email_address=_TEXT,
            credit_card=_TEXT,
            city=_TEXT,
            state=_TEXT,
            date_time=_TIME,
            extra=_TEXT,
        ),
        "auctions": _schema(
            id=_INT,
            item_name=_TEXT,
            description=_TEXT,
            initial_bid=_INT,
            reserve=_INT,
            date_time=_TIME,
            expires=_TIME,
            seller=_INT,
            category=_INT,
            extra=_TEXT,
        ),
        "bids": _schema(auction=_INT, bidder=_INT, price=_INT, date_time=_TIME, extra=_TEXT),
    }
)
"""The columns of each kind; prices are in cents."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a generator makes. The defaults are Beam's, but for one generator and a steady rate.

    Parameters
    ----------
    events : int, optional
        How many events there are, of all three kinds; None: no end.
    seed : int
        Another seed, other events.
    rate : int
        Events in a second of event time.
    start : str, datetime or pandas.Timestamp
        The time of the first event.
    out_of_order_group_size : int
        Events come in groups of so many, each in an order of its own; 1: in order of time. No multiple of 953.
    hot_auction_ratio, hot_sellers_ratio, hot_bidders_ratio : int
        All but one in so many bids are for a hot auction, auctions by a hot seller, bids by a hot bidder: the first
        (of bidders, the second) of every hundred.
    in_flight_auctions : int
        How many auctions are open at any time, on average.
    active_people : int
        Of how many of the newest people the sellers and bidders are.
    person_bytes, auction_bytes, bid_bytes : int
        How large a row is on average; the column ``extra`` makes up for what is missing.

    Raises
    ------
    SourceError
        If a number is not what it must be.

    Examples
    --------
    >>> config = Config(events=100, out_of_order_group_size=10)
    >>> config.rows_of("bids"), config.disorder_us, config.longest_auction_us
    (92, 900, 334199)
    """

    events: int | None = 100_000
    seed: int = 0
    rate: int = 10_000
    start: object = "2015-07-15T00:00:00Z"
    out_of_order_group_size: int = 1
    hot_auction_ratio: int = 2
    hot_sellers_ratio: int = 4
    hot_bidders_ratio: int = 4
    in_flight_auctions: int = 100
    active_people: int = 1000
    person_bytes: int = 200
    auction_bytes: int = 500
    bid_bytes: int = 100

    def __post_init__(self) -> None:
        least = {"seed": 0, "events": 0, "person_bytes": 0, "auction_bytes": 0, "bid_bytes": 0}
        most = {"seed": 2**63, "events": 10**12, "out_of_order_group_size": 10**6}
        for field in dataclasses.fields(self):
            number, lowest = getattr(self, field.name), least.get(field.name, 1)
            if field.name == "start" or (field.name == "events" and number is None):
                continue
            highest = most.get(field.name, 10**9)
            if isinstance(number, bool) or not isinstance(number, int) or not lowest <= number <= highest:
                raise SourceError(
                    f"nexmark: `{field.name}` must be a whole number from {lowest} to {highest:,}", got=repr(number)
                )
        if self.out_of_order_group_size % _STRIDE == 0:
            raise SourceError(
                f"nexmark: `out_of_order_group_size` must be no multiple of {_STRIDE}",
                got=repr(self.out_of_order_group_size),
            )
        instant_us(self.start, "start")

    @property
    def differing(self) -> dict[str, Any]:
        """The parameters that are not the default's."""
        told = {field.name: (getattr(self, field.name), field.default) for field in dataclasses.fields(self)}
        return {name: value for name, (value, default) in told.items() if value != default}

    def rows_of(self, kind: Kind) -> int | None:
        """How many of the events are of a kind; None: no end."""
        return None if self.events is None else int(before(kind, np.int64(self.events)))

    def time(self, number: I64) -> I64:
        """When events are, in microseconds."""
        rate = self.rate  # whole seconds and the rest apart, so that nothing overflows or is rounded twice
        return instant_us(self.start, "start") + number // rate * 1_000_000 + number % rate * 1_000_000 // rate

    @property
    def disorder_us(self) -> int:
        """How far behind an event of later time an event may come: the bound under which none is late."""
        return -(-(self.out_of_order_group_size - 1) * 1_000_000 // self.rate)

    @property
    def longest_auction_us(self) -> int:
        """No auction is open for longer: twice the time in which as many are opened as are in flight."""
        return _LEAST_OPEN_US + 2 * -(-self._horizon * 1_000_000 // self.rate) - 1

    @property
    def _horizon(self) -> int:
        """Events until as many auctions are opened as are in flight."""
        return self.in_flight_auctions * CYCLE // PLACES["auctions"][1]


def numbers(config: Config, kind: Kind, start: int, stop: int) -> I64:
    """The events that are rows ``[start, stop)`` of a kind, in the order in which they come.

    Examples
    --------
    >>> numbers(Config(), "auctions", 0, 5).tolist()
    [1, 2, 3, 51, 52]
    >>> numbers(Config(out_of_order_group_size=5), "auctions", 0, 5).tolist()
    [3, 1, 2, 53, 51]
    """
    if stop <= start or config.out_of_order_group_size == 1:
        return in_order(kind, np.arange(start, stop))
    # Within a group, event b + k * 953 % size comes at place k: whole groups are put in order, then cut.
    size = config.out_of_order_group_size
    first, last = (int(each) // size for each in in_order(kind, np.array([start, stop - 1])))
    low = int(before(kind, np.int64(first * size)))
    high = int(before(kind, np.int64((last + 1) * size)))
    if config.events is not None:
        high = min(high, int(before(kind, np.int64(config.events))))
    number = in_order(kind, np.arange(low, high))
    place = number % size * pow(_STRIDE, -1, size) % size
    return number[np.argsort(number - number % size + place)][start - low : stop - low]


def rows(config: Config, kind: Kind, number: I64, columns: Sequence[str] | None = None) -> pa.Table:
    """The rows of events, all of one kind.

    Examples
    --------
    >>> rows(Config(), "bids", numbers(Config(), "bids", 0, 2), ("auction", "price")).to_pylist()
    [{'auction': 1000, 'price': 1853}, {'auction': 1000, 'price': 62747}]
    """
    schema = SCHEMAS[kind]
    names = schema.names if columns is None else columns
    schema = pa.schema([schema.field(name) for name in names])
    batches = []
    for at in range(0, len(number), _CHUNK):
        made = _MAKERS[kind](_Drawn(config, number[at : at + _CHUNK]))
        batches.append(pa.RecordBatch.from_arrays([made[name]() for name in names], schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def arrivals(config: Config, kind: Kind, arrived: int) -> int:
    """How many of the first ``arrived`` events to come are of a kind."""
    if config.events is not None and arrived >= config.events:
        return int(before(kind, np.int64(config.events)))
    size = config.out_of_order_group_size
    base = arrived // size * size
    whole = int(before(kind, np.int64(base)))
    part = base + np.arange(arrived - base) * _STRIDE % size
    if config.events is not None:
        part = part[part < config.events]
    first, count = PLACES[kind]
    return whole + int(np.count_nonzero((part % CYCLE >= first) & (part % CYCLE < first + count)))


def before(kind: Kind, number: I64 | np.int64) -> I64:
    """How many events of a kind have a lower number."""
    first, count = PLACES[kind]
    return np.asarray(number // CYCLE * count + np.clip(number % CYCLE - first, 0, count))


def in_order(kind: Kind, index: I64 | np.int64) -> I64:
    """The events of a kind by their index: the n-th person is event ``50 * n``."""
    first, count = PLACES[kind]
    return np.asarray(index // count * CYCLE + first + index % count)


# -- random values


def _mixed(value: U64) -> U64:
    """The finaliser of splitmix64: every bit depends on every bit."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


_GOLDEN = 0x9E3779B97F4A7C15


class _Drawn:
    """Random values of some events, a stream of them for each name."""

    def __init__(self, config: Config, number: I64) -> None:
        self.config, self.number = config, number
        self._counter = number.astype(np.uint64) * np.uint64(_GOLDEN)

    def __len__(self) -> int:
        return len(self.number)

    def bits(self, name: str, word: int = 0) -> U64:
        """64 random bits for each event."""
        key = np.array([self.config.seed], np.uint64)
        for part in (name.encode(), word.to_bytes(8, "little")):
            for at in range(0, len(part), 8):
                key = _mixed(key * np.uint64(_GOLDEN) + np.uint64(int.from_bytes(part[at : at + 8], "little")))
        return _mixed(self._counter + key)

    def below(self, name: str, limit: I64 | int) -> I64:
        """A whole number from 0, below ``limit``."""
        return (self.bits(name) % np.asarray(limit, np.uint64)).astype(np.int64)

    def price(self, name: str) -> I64:
        """Cents: from one to a million, each power of ten as likely."""
        uniform = (self.bits(name) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.rint(10.0 ** (6.0 * uniform) * 100.0).astype(np.int64)

    def one_of(self, name: str, choices: Sequence[str]) -> pa.Array:
        """A text of ``choices``."""
        return pa.array(choices, _TEXT).take(pa.array(self.below(name, len(choices))))

    def text(self, name: str, limit: int) -> pa.Array:
        """Text of at least 3 and less than ``limit`` letters and spaces, neither first nor last a space."""
        return self._letters(name, 3 + self.below(f"{name} length", limit - 3), spaces=True)

    def extra(self, average: int, size: I64 | int) -> pa.Array:
        """Letters that make rows of ``size`` bytes ``average`` bytes long, give or take a fifth of what is missing."""
        missing = np.maximum(average - np.broadcast_to(np.asarray(size, np.int64), len(self)), 0)
        slack = np.rint(missing * 0.2).astype(np.int64)
        length = missing - slack + self.below("extra length", np.maximum(2 * slack, 1))
        return self._letters("extra", length, spaces=False)

    def _letters(self, name: str, length: I64, *, spaces: bool) -> pa.Array:
        words = -(-int(np.max(length, initial=0)) // 8)
        drawn = np.empty((len(self), words), "<u8")
        for word in range(words):
            drawn[:, word] = self.bits(name, word)
        place = np.arange(8 * words)
        taken = drawn.view(np.uint8).reshape(len(self), 8 * words)[place < length[:, None]].astype(np.uint16)
        ends = np.cumsum(length)
        if spaces:  # one in 13
            letters = np.where(taken < 20, 32, 97 + np.maximum(taken, 20) * 26 // 256).astype(np.uint8)
            edges = np.concatenate([ends - length, ends - 1])
            letters[edges] = 97 + taken[edges] * 26 // 256
        else:
            letters = (97 + taken * 26 // 256).astype(np.uint8)
        offsets = np.append(0, ends).astype(np.int64)
        return pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(offsets), pa.py_buffer(letters))

    # -- who and what

    def newest(self, kind: Kind) -> I64:
        """The newest person or auction at each event, counted from 0; the one before the first is -1."""
        first, count = PLACES[kind]
        at = self.number % CYCLE
        newest: I64 = self.number // CYCLE * count + np.minimum(at - first, count - 1) * (at >= first) - (at < first)
        return newest

    def person(self, name: str) -> I64:
        """Any of the active people, or of those that are soon to come."""
        people = self.newest("persons") + 1
        active = np.minimum(people, self.config.active_people)
        return people - active + self.below(name, active + _LEAD)

    def auction(self, name: str) -> I64:
        """Any of the auctions in flight, or of those that are soon to come."""
        newest = self.newest("auctions")
        oldest = np.maximum(newest - self.config.in_flight_auctions, 0)
        return oldest + self.below(name, newest - oldest + 1 + _LEAD)

    def hot(self, name: str, ratio: int, newest: I64, other: I64, nth: int = 0) -> I64:
        """Ids: the hot one, but for one in ``ratio``."""
        hot: I64 = newest // _HOT * _HOT + nth
        chosen: I64 = np.where(self.below(name, ratio) > 0, hot, other)
        return FIRST_ID + chosen

    def ids(self, kind: Kind) -> I64:
        """The ids of events that are people, or auctions."""
        return FIRST_ID + self.newest(kind)

    def time(self) -> pa.Array:
        """When they are."""
        return _times(self.config.time(self.number))


def _times(us: I64) -> pa.Array:
    return pa.array(us).view(_TIME)


def _lengths(*texts: pa.Array) -> I64:
    total: I64 = np.sum([pc.binary_length(text).to_numpy() for text in texts], axis=0, dtype=np.int64)
    return total


Makers: TypeAlias = dict[str, Callable[[], pa.Array]]


def _persons(drawn: _Drawn) -> Makers:
    def joined(parts: Sequence[pa.Array | str], between: str) -> pa.Array:
        scalars = [pa.scalar(each, _TEXT) if isinstance(each, str) else each for each in (*parts, between)]
        return pc.binary_join_element_wise(*scalars)

    def name() -> pa.Array:
        return joined([drawn.one_of("first name", _FIRST_NAMES), drawn.one_of("last name", _LAST_NAMES)], " ")

    def email() -> pa.Array:
        return joined([drawn.text("email", 7), "@", drawn.text("domain", 5), ".com"], "")

    def credit_card() -> pa.Array:
        # 1 before four digits each, cut away: digits with their zeros.
        fours = [pa.array(10_000 + drawn.below(f"credit card {i}", 10_000)).cast(_TEXT) for i in range(4)]
        return joined([pc.utf8_slice_codeunits(each, 1) for each in fours], " ")

    def city() -> pa.Array:
        return drawn.one_of("city", _CITIES)

    def state() -> pa.Array:
        return drawn.one_of("state", _STATES)

    def extra() -> pa.Array:
        return drawn.extra(drawn.config.person_bytes, 8 + _lengths(name(), email(), credit_card(), city(), state()))

    return {
        "id": lambda: pa.array(drawn.ids("persons")),
        "name": name,
        "email_address": email,
        "credit_card": credit_card,
        "city": city,
        "state": state,
        "date_time": drawn.time,
        "extra": extra,
    }


def _auctions(drawn: _Drawn) -> Makers:
    config = drawn.config

    def item_name() -> pa.Array:
        return drawn.text("item name", 20)

    def description() -> pa.Array:
        return drawn.text("description", 100)

    def expires() -> pa.Array:
        time = config.time(drawn.number)
        horizon = config.time(drawn.number + config._horizon) - time
        return _times(time + _LEAST_OPEN_US + drawn.below("open", np.maximum(2 * horizon, 1)))

    def seller() -> pa.Array:
        other = drawn.person("seller")
        return pa.array(drawn.hot("hot seller", config.hot_sellers_ratio, drawn.newest("persons"), other))

    return {
        "id": lambda: pa.array(drawn.ids("auctions")),
        "item_name": item_name,
        "description": description,
        "initial_bid": lambda: pa.array(drawn.price("initial bid")),
        "reserve": lambda: pa.array(drawn.price("initial bid") + drawn.price("reserve")),
        "date_time": drawn.time,
        "expires": expires,
        "seller": seller,
        "category": lambda: pa.array(FIRST_CATEGORY + drawn.below("category", CATEGORIES)),
        "extra": lambda: drawn.extra(config.auction_bytes, 48 + _lengths(item_name(), description())),
    }


def _bids(drawn: _Drawn) -> Makers:
    config = drawn.config

    def auction() -> pa.Array:
        other = drawn.auction("auction")
        return pa.array(drawn.hot("hot auction", config.hot_auction_ratio, drawn.newest("auctions"), other))

    def bidder() -> pa.Array:
        # The second of every hundred, so that hot bidders are no hot sellers.
        other = drawn.person("bidder")
        return pa.array(drawn.hot("hot bidder", config.hot_bidders_ratio, drawn.newest("persons"), other, 1))

    return {
        "auction": auction,
        "bidder": bidder,
        "price": lambda: pa.array(drawn.price("price")),
        "date_time": drawn.time,
        "extra": lambda: drawn.extra(config.bid_bytes, 32),
    }


_MAKERS: dict[Kind, Callable[[_Drawn], Makers]] = {"persons": _persons, "auctions": _auctions, "bids": _bids}
assert tuple(_MAKERS) == get_args(Kind)
