"""Streams grouped together."""

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError, UserFunctionError

HOUR = fl.FixedWindows("1h")


def frame(n, seed, **columns):
    rng = np.random.default_rng(seed)
    times = pd.to_datetime(rng.integers(0, 36_000, n), unit="s", utc=True).as_unit("us")
    made = {name: make(rng, n) for name, make in columns.items()}
    return pd.DataFrame({"t": times, "k": rng.integers(0, 5, n).astype(str), **made})


BIDS = frame(400, 1, price=lambda rng, n: rng.integers(0, 100, n), seats=lambda rng, n: rng.random(n))
SALES = frame(90, 2, price=lambda rng, n: rng.random(n), seats=lambda rng, n: rng.integers(1, 5, n))


def stream(rows):
    return fl.read.frame(rows, event_time="t").drop("t")


def both(windows=HOUR):
    return fl.cogroup({"bids": stream(BIDS).window(windows), "sales": stream(SALES).window(windows)}, on="k")


def hourly(rows):
    return rows.assign(window_start=rows["t"].dt.floor("1h")).groupby(["k", "window_start"])


def test_aggregates_of_each_stream_are_those_that_pandas_makes_of_it_alone():
    ours = both().agg(
        bids={"bids": "count", "highest": ("price", "max"), "weighted": ("price", fl.WeightedMean("seats"))},
        sales={"sales": "size", "sold": ("price", "sum"), "prices": ("price", "list"), "per_hour": fl.Rate("count")},
    )
    ours = ours.collect().set_index(["k", "window_start"]).sort_index()
    bids, sales = hourly(BIDS), hourly(SALES)
    expected = pd.DataFrame(
        {
            "bids": bids.size(),
            "highest": bids["price"].max(),
            "weighted": bids.apply(lambda rows: np.average(rows["price"], weights=rows["seats"])),
            "sales": sales.size(),
            "sold": sales["price"].sum(),
        }
    ).sort_index()
    assert len(ours) == len(expected) > 40
    assert expected["sales"].isna().any()
    for name in ("bids", "sales", "sold"):
        np.testing.assert_allclose(ours[name].astype(float), expected[name].fillna(0).astype(float))
    for name in ("highest", "weighted"):
        np.testing.assert_allclose(ours[name].astype("Float64").to_numpy(float, na_value=np.nan), expected[name])
    assert [len(each) for each in ours["prices"]] == ours["sales"].tolist()
    np.testing.assert_allclose(ours["per_hour"] * 3600, ours["sales"])


def test_whole_rows_of_a_stream_are_aggregates_of_it():
    ours = both().agg(bids={"best": fl.Top(2, by="price")}, sales={"sales": "count"}).collect()
    alone = stream(BIDS).window(HOUR).groupby("k").agg(best=fl.Top(2, by="price")).collect()
    ours = ours.set_index(["k", "window_start"])["best"]
    assert all(list(ours[k, start]) == list(best) for k, start, best in alone[["k", "window_start", "best"]].values)
    assert len(alone) > 40


def test_a_function_gets_a_frame_of_each_stream_as_the_stream_has_it():
    seen = []

    def crossed(bids, sales):
        seen.append((dict(bids.dtypes.astype(str)), dict(sales.dtypes.astype(str)), bids.index, sales.index))
        return {"bids": len(bids), "sales": len(sales), "most": float(bids["price"].sum() + sales["seats"].sum())}

    ours = both().apply(crossed).collect().set_index(["k", "window_start"]).sort_index()
    bids, sales = hourly(BIDS), hourly(SALES)
    expected = pd.DataFrame({"bids": bids.size(), "sales": sales.size()}).fillna(0).astype(int).sort_index()
    assert ours[["bids", "sales"]].astype(int).equals(expected)
    total = bids["price"].sum().add(sales["seats"].sum(), fill_value=0).sort_index()
    assert ours["most"].tolist() == total.tolist()
    for one, other, *indexes in seen:
        assert one == {"price": "int64", "seats": "float64"}
        assert other == {"price": "float64", "seats": "int64"}
        assert all(index.equals(pd.RangeIndex(len(index))) for index in indexes)


def test_a_group_for_which_the_function_raises_is_an_error_and_the_others_go_on():
    def failing(bids, sales):
        if len(sales) == 0 and len(bids):
            raise ValueError("no sales")
        return {"n": len(bids)}

    grouped = both().apply(failing)
    without = pd.DataFrame({"bids": hourly(BIDS).size(), "sales": hourly(SALES).size()})["sales"].isna().sum()
    assert len(grouped.errors.collect()) == without > 0
    assert len(grouped.collect()) + without == 50


def test_what_cannot_be_grouped_together_is_refused_by_name():
    bids, sales = stream(BIDS), stream(SALES)
    with pytest.raises(GraphError, match=r"cogroup.*takes streams by name"):
        fl.cogroup([bids, sales], on="k")
    with pytest.raises(GraphError, match=r"text without a dot; got 'a.b'"):
        fl.cogroup({"a.b": bids}, on="k")
    with pytest.raises(GraphError, match=r"cogroup.. takes streams; got DataFrame"):
        fl.cogroup({"bids": BIDS}, on="k")
    with pytest.raises(DtypeError, match=r"key 'k' must have one dtype.*got str in 'bids', int64 in 'sales'"):
        fl.cogroup({"bids": bids, "sales": sales.assign(k="1")}, on="k")
    with pytest.raises(ColumnError, match="'j'"):
        fl.cogroup({"bids": bids, "sales": sales}, on="j")
    with pytest.raises(GraphError, match="must have the same windowing"):
        fl.cogroup({"bids": bids.window(HOUR), "sales": sales}, on="k")
    early = bids.window(HOUR, trigger=fl.AfterWatermark(early=fl.AfterCount(1))).groupby("k").agg(n="count")
    with pytest.raises(GraphError, match="panes that replace one another cannot be grouped"):
        fl.cogroup({"bids": early}, on="k")
    group = fl.cogroup({"bids": bids, "sales": sales}, on="k")
    with pytest.raises(GraphError, match="by their names; got 'asks'"):
        group.agg(asks={"n": "count"})
    with pytest.raises(GraphError, match="by their names; got none"):
        group.agg()
    with pytest.raises(GraphError, match="'n' more than once"):
        group.agg(bids={"n": "count"}, sales={"n": "count"})
    with pytest.raises(ColumnError, match="'prize'"):
        group.agg(bids={"n": ("prize", "sum")})
    with pytest.raises(GraphError, match="must have a column"):
        group.agg(bids={"n": "sum"})
    with pytest.raises(UserFunctionError, match="must work on a group without rows"):
        group.apply(lambda bids: {"n": 1})
    with pytest.raises(GraphError, match="names of arguments; got 'my bids'"):
        fl.cogroup({"my bids": bids}, on="k").apply(len)
    endless = fl.read.rate(1).assign(k="'a'")
    with pytest.raises(GraphError, match="must be told when to give results"):
        fl.cogroup({"bids": endless}, on="k").agg(bids={"n": "count"})
    back = fl.AfterWatermark(early=fl.AfterCount(1))
    taken = bids.window(HOUR, trigger=back, accumulation="retracting").groupby("k").agg(n="count")
    with pytest.raises(GraphError, match="must be able to take back rows"):
        fl.cogroup({"bids": taken.window(HOUR)}, on="k").apply(lambda bids: {"n": 1})


def test_only_the_columns_that_are_aggregated_are_read(tmp_path):
    BIDS.to_parquet(tmp_path / "bids.parquet")
    SALES.to_parquet(tmp_path / "sales.parquet")
    paths = [tmp_path / f"{name}.parquet" for name in ("bids", "sales")]
    bids, sales = (fl.read.parquet(path, event_time="t").window(HOUR) for path in paths)
    grouped = fl.cogroup({"bids": bids, "sales": sales}, on=["k"]).agg(
        bids={"bids": "count", "highest": ("price", "max")}, sales={"sold": ("seats", "sum")}
    )
    plan = grouped.explain("optimized")
    assert "columns t, k, price" in plan
    assert "columns t, k, seats" in plan
    assert "agg by k: bids='count' of bids, highest=('price', 'max') of bids, sold=('seats', 'sum') of sales" in plan
    grouped.to_script(tmp_path / "script.py")
    text = (tmp_path / "script.py").read_text()
    assert "fl.cogroup(" in text
    call = 'agg(bids={"bids": "count", "highest": ("price", "max")}, sales={"sold": ("seats", "sum")})'
    assert call.replace(" ", "") in text.replace("\n", "").replace(" ", "").replace(",}", "}").replace(",)", ")")
    space = {}
    exec(compile(text, "script.py", "exec"), space)  # the script makes the same results
    pd.testing.assert_frame_equal(space["pipeline"]().collect(), grouped.collect())
