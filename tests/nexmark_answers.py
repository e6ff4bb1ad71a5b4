"""The answers to Nexmark's queries from whole frames, in plain pandas: as obvious as can be, and no word of Flower."""

from __future__ import annotations

from typing import Any

import pandas as pd


def answer_0(frames: Any) -> pd.DataFrame:
    return frames.bids[["auction", "bidder", "price", "date_time", "extra"]]


def answer_1(frames: Any) -> pd.DataFrame:
    bids = answer_0(frames).copy()
    bids["price"] = bids["price"] * 89 // 100
    return bids


def answer_2(frames: Any, every: int = 123) -> pd.DataFrame:
    return frames.bids.loc[frames.bids["auction"] % every == 0, ["auction", "price"]]


def answer_3(frames: Any, within: str = "10min") -> pd.DataFrame:
    people = frames.persons[frames.persons["state"].isin(["OR", "ID", "CA"])]
    items = frames.auctions[frames.auctions["category"] == 10].rename(columns={"id": "auction"})
    pairs = people.merge(items, left_on="id", right_on="seller")
    near = (pairs["date_time_y"] - pairs["date_time_x"]).abs() <= pd.Timedelta(within)
    return pairs.loc[near, ["name", "city", "state", "auction"]]


def answer_4(frames: Any, size: str = "10s", every: str = "5s") -> pd.DataFrame:
    won = answer_9(frames)
    rows = [
        {"window_end": end, "category": category, "price": closed["price"].mean()}
        for end, inside in windows(won, won["window_end"] - pd.Timedelta("1us"), size, every)
        for category, closed in inside.groupby("category")
    ]
    return pd.DataFrame(rows, columns=["window_end", "category", "price"])


def answer_5(frames: Any, size: str = "10s", every: str = "5s") -> pd.DataFrame:
    rows = []
    for end, inside in windows(frames.bids, frames.bids["date_time"], size, every):
        counts = inside["auction"].value_counts()
        rows += [{"window_end": end, "auction": a, "bids": n} for a, n in counts.items() if n == counts.max()]
    return pd.DataFrame(rows, columns=["window_end", "auction", "bids"])


def answer_7(frames: Any, size: str = "10s") -> pd.DataFrame:
    parts = []
    for end, inside in windows(frames.bids, frames.bids["date_time"], size, size):
        parts.append(inside[inside["price"] == inside["price"].max()].assign(window_end=end))
    return pd.concat(parts)[["window_end", "auction", "bidder", "price", "date_time"]]


def answer_8(frames: Any, size: str = "10s") -> pd.DataFrame:
    people = frames.persons.assign(window=frames.persons["date_time"].dt.floor(size))
    items = frames.auctions.assign(window=frames.auctions["date_time"].dt.floor(size))
    both = people.merge(items, left_on=["window", "id"], right_on=["window", "seller"])
    both = both.assign(window_end=both["window"] + pd.Timedelta(size)).rename(columns={"id_x": "id"})
    return both[["window_end", "id", "name", "reserve"]]


def answer_9(frames: Any) -> pd.DataFrame:
    """Of the bids while an auction was open, and not below its reserve: the highest, of several the first."""
    rows = []
    for auction in frames.auctions.itertuples():
        bids = frames.bids[frames.bids["auction"] == auction.id]
        bids = bids[(bids["date_time"] >= auction.date_time) & (bids["date_time"] < auction.expires)]
        bids = bids[bids["price"] >= auction.reserve]
        if len(bids):
            best = bids.sort_values(["price", "date_time"], ascending=[False, True]).iloc[0]
            rows.append(
                {
                    "auction": auction.id,
                    "category": auction.category,
                    "bidder": best["bidder"],
                    "price": best["price"],
                    "date_time": best["date_time"],
                    "window_start": auction.date_time,
                    "window_end": auction.expires,
                }
            )
    names = ["auction", "category", "bidder", "price", "date_time", "window_start", "window_end"]
    return pd.DataFrame(rows, columns=names)


def answer_11(frames: Any, gap: str = "10s") -> pd.DataFrame:
    rows = []
    for bidder, bids in frames.bids.sort_values("date_time").groupby("bidder"):
        pause = bids["date_time"].diff() >= pd.Timedelta(gap)
        for _, session in bids.groupby(pause.cumsum()):
            first, last = session["date_time"].min(), session["date_time"].max()
            rows.append((bidder, len(session), first, last + pd.Timedelta(gap)))
    return pd.DataFrame(rows, columns=["bidder", "bids", "window_start", "window_end"])


def answer_12(frames: Any, came: pd.Series, size: str = "10s") -> pd.DataFrame:
    """By the time at which each bid came, as the clock showed it."""
    counts = frames.bids.groupby(["bidder", came.dt.floor(size).rename("window_start")]).size()
    rows = counts.rename("bids").reset_index()
    rows["window_end"] = rows["window_start"] + pd.Timedelta(size)
    return rows[["bidder", "bids", "window_start", "window_end"]]


def answer_13(frames: Any, rows: int = 500) -> pd.DataFrame:
    bids = frames.bids[["auction", "bidder", "price", "date_time"]]
    return bids.assign(value=[str(bidder % rows) for bidder in bids["bidder"]])


def windows(rows: pd.DataFrame, time: pd.Series, size: str, every: str) -> Any:
    """The end of each sliding window that has rows, and those rows."""
    step = pd.Timedelta(every)
    end = time.min().floor(every) + step
    while end - pd.Timedelta(size) <= time.max():
        inside = rows[(time >= end - pd.Timedelta(size)) & (time < end)]
        if len(inside):
            yield end, inside
        end += step
