"""Plans: stages, their steps and where their rows go."""

from __future__ import annotations

from strategies import Rows, stream_of

import flower as fl
from flower.graph.nodes import Aggregate, Concat, Dropped, Errors, Read, Write
from flower.graph.plan import Delivery, Plan, Stage, plan

S = stream_of()


def planned(*outputs) -> Plan:
    return plan([each.node for each in outputs])


def hourly(stream, *keys):
    windowed = stream.window(fl.FixedWindows("1h"))
    return (windowed.groupby(*keys) if keys else windowed).agg(n=("n", "sum"))


def ops(stage: Stage) -> list[tuple[str, int, int]]:
    return [(op.node.name, op.source, op.target) for op in stage.ops]


def test_row_wise_steps_are_fused_into_the_stage_of_their_source():
    made = planned(S.filter("flag").assign(y="n // m").select("y", "n"))
    assert [type(stage.origin) for stage in made.stages] == [Read]
    assert ops(made.stages[0]) == [("filter-1", 0, 1), ("assign-1", 1, 2), ("select-1", 2, 3)]
    assert made.stages[0].deliveries == (Delivery(slot=3, port=0),)


def test_a_window_is_no_op():
    assert planned(S.window(fl.FixedWindows("1h"))).stages[0].ops == ()


def test_a_keyed_step_is_a_stage_fed_through_its_consumer():
    made = planned(hourly(S.filter("flag"), "k"))
    read, keyed = made.stages
    assert (read.name, keyed.name) == ("read-1", "agg-1")
    assert isinstance(keyed.origin, Aggregate)
    assert keyed.inputs == (0,)
    (port,) = keyed.ports
    consumer = made.consumers[port]
    assert (consumer.kind, consumer.step, consumer.stage) == ("aggregate", "agg-1", 1)
    assert read.deliveries == (Delivery(slot=1, port=port),)


def test_steps_after_a_keyed_step_are_in_its_stage():
    made = planned(hourly(S, "k").filter("n > 3"))
    assert ops(made.stages[1]) == [("filter-1", 0, 1)]
    assert made.stages[1].deliveries == (Delivery(slot=1, port=made.outputs[0]),)


def test_stages_come_after_those_that_feed_them():
    one, two = hourly(S, "k"), hourly(stream_of(), "k")
    made = planned(hourly(fl.concat(one, two)), one.dropped)
    for index, stage in enumerate(made.stages):
        assert all(each < index for each in stage.inputs)
        for port in stage.ports:
            assert made.consumers[port].stage == index


def test_steps_after_a_concat_run_on_each_part():
    other = stream_of()
    made = planned(fl.concat(S.filter("n > 0"), other).filter("flag"))
    assert [ops(stage) for stage in made.stages] == [
        [("filter-1", 0, 1), ("filter-2", 1, 2)],
        [("filter-2", 0, 1)],
    ]
    assert [stage.deliveries for stage in made.stages] == [(Delivery(2, 0),), (Delivery(1, 0),)]


def test_a_part_that_comes_twice_is_delivered_twice_and_computed_once():
    part = S.filter("flag")
    stage = planned(fl.concat(part, part).filter("n > 0")).stages[0]
    assert ops(stage) == [("filter-1", 0, 1), ("filter-2", 1, 2)]
    assert stage.deliveries == (Delivery(2, 0), Delivery(2, 0))


def test_a_part_with_its_columns_in_another_order_is_put_into_that_of_the_first():
    made = planned(fl.concat(S.select("k", "n"), S.select("n", "k")))
    concats = [op for op in made.stages[0].ops if isinstance(op.node, Concat)]
    assert [(op.source, op.node.schema.names) for op in concats] == [(2, ["k", "n"])]


def test_dropped_rows_are_a_stage_fed_by_the_keyed_step():
    made = planned(hourly(S, "k").dropped.filter("n > 0"))
    _, keyed, dropped = made.stages
    assert isinstance(dropped.origin, Dropped)
    assert dropped.inputs == (1,)
    assert ops(dropped) == [("filter-1", 0, 1)]
    assert keyed.deliveries == ()


def test_failed_rows_are_a_stage_that_covers_the_steps_before():
    made = planned(hourly(S.filter("n // m > 0"), "k").errors)
    errors = made.stages[-1]
    assert isinstance(errors.origin, Errors)
    assert errors.inputs == (0, 1)
    assert set(errors.covers) >= {"read-1", "filter-1", "agg-1"}


def test_failed_rows_of_other_steps_are_not_covered():
    inner = S.filter("n // m > 0")
    made = planned(inner.errors, inner.filter("n % m > 0"))
    assert "filter-2" not in next(stage for stage in made.stages if isinstance(stage.origin, Errors)).covers


def test_each_output_has_its_consumer_and_the_same_output_twice_has_one():
    one, two = S.filter("flag"), S.filter("not flag")
    made = planned(one, two, one)
    assert [made.consumers[port].step for port in made.outputs] == ["filter-1", "filter-2", "filter-1"]
    assert len(made.consumers) == 2


def test_an_output_keeps_its_name_whatever_step_the_rules_put_last():
    made = planned(S.rename(n="number").filter("number > 0").named("positive"))
    assert ops(made.stages[0]) == [("positive", 0, 1), ("select-1", 1, 2)]
    assert [made.consumers[port].step for port in made.outputs] == ["positive"]


def test_outputs_that_the_rules_make_equal_stay_two():
    made = planned(S, S.select(*S.schema.names).named("again"))
    assert [made.consumers[port].step for port in made.outputs] == ["read-1", "again"]


def test_one_source_of_several_outputs_is_read_once():
    made = planned(hourly(S.filter("flag"), "k"), hourly(S.filter("not flag")))
    assert sum(isinstance(stage.origin, Read) for stage in made.stages) == 1


def test_a_sink_is_an_output(tmp_path):
    made = planned(S.filter("flag").write.parquet(tmp_path / "out"))
    consumer = made.consumers[made.outputs[0]]
    assert isinstance(consumer.node, Write)
    assert consumer.kind == "output"
    assert made.stages[0].deliveries == (Delivery(1, made.outputs[0]),)


def test_a_keyed_step_keeps_its_name_when_a_filter_is_inserted():
    before, after = planned(hourly(S, "k")), planned(hourly(S.filter("flag"), "k"))
    assert before.stages[1].name == after.stages[1].name == "agg-1"


def test_all_forms_of_a_plan_are_kept():
    written = S.rename(n="number").filter("number > 0")
    made = planned(written)
    assert made.logical == (written.node,)
    assert made.optimized == (S.filter("n > 0").rename(n="number").node,)
    assert [node.name for node in made.logical] == ["filter-1"]


def test_two_sources_of_equal_content_are_read_apart():
    assert len(planned(fl.concat(stream_of(Rows()), stream_of(Rows()))).stages) == 2
