"""The optimised graph gives what the graph as written gives: on random pipelines and rows, row for row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import Rows, random_pipeline, stream_of, tables

import flower as fl
from flower.engine.rowwise import apply_step
from flower.graph.batch import Batch
from flower.graph.nodes import Aggregate, Dropped, Errors, Node, Read
from flower.graph.plan import named, physical, plan


def delivered(outputs: Sequence[Node], names: Sequence[str]) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """What row-wise steps deliver to each consumer, and which rows failed in which step."""
    stages, consumers, _ = physical(outputs, names)
    rows: dict[str, list[str]] = defaultdict(list)
    failed: list[tuple[int, str]] = []
    for stage in stages:
        if not isinstance(stage.origin, Read):
            continue
        table = stage.origin.source.tables[0].select(stage.origin.schema.names).combine_chunks()
        batch = table.to_batches()[0] if len(table) else pa.RecordBatch.from_pylist([], stage.origin.schema)
        seconds = batch["t"].cast(pa.int64()).to_numpy()
        places = np.arange(len(batch))
        slots = [Batch(batch, seconds, seconds, places * 0, places)]
        for op in stage.ops:
            result, errors = apply_step(op.node, slots[op.source], op.node.name)
            assert result.rows.schema.equals(op.node.schema)
            slots.append(result)
            if op.target == len(slots) - 1:
                failed += zip(errors["position"].to_pylist(), errors["step"].to_pylist(), strict=True)
        for delivery in stage.deliveries:
            consumer = consumers[delivery.port]
            result = slots[delivery.slot]
            names = result.rows.schema.names
            if isinstance(consumer.node, Aggregate):
                names = [*consumer.node.keys, *(each.column for each in consumer.node.aggregations if each.column)]
            values = result.rows.select(names).to_pylist()
            rows[consumer.step] += [
                f"{position} {time} {row}"
                for position, time, row in zip(result.position, result.time, values, strict=True)
            ]
    return {step: sorted(found) for step, found in rows.items()}, sorted(failed)


@settings(max_examples=200)
@given(data=st.data(), table=tables())
def test_optimising_changes_neither_rows_nor_failures_nor_columns(data, table):
    stream = stream_of(Rows(table))
    pipeline = data.draw(random_pipeline(stream, functions=data.draw(st.sampled_from([False, False, True]))))
    outputs = [pipeline.node]
    if isinstance(pipeline.node, Aggregate):
        outputs += data.draw(st.sampled_from([[], [Dropped(pipeline.node)], [Errors(pipeline.node)]]))
    written = named(outputs)
    made = plan(outputs)
    assert [node.schema for node in made.optimized] == [node.schema for node in written]
    names = [node.name for node in written]
    assert delivered(made.optimized, names) == delivered(written, names)


def test_rows_are_counted_where_the_parts_of_a_concat_have_their_columns_in_another_order():
    left = fl.read.frame(pd.DataFrame({"a": ["x"], "b": [2.0], "c": [3]}))
    right = fl.read.frame(pd.DataFrame({"b": [2.0, 3.0], "a": ["x", "y"]}))
    both = fl.concat(left.select("a", "b"), right.select("a", "b"))
    assert both.agg(n="count").collect()["n"].tolist() == [3]
    assert right.select("a").agg(n="count").collect()["n"].tolist() == [2]
