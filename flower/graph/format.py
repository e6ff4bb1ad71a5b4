"""Pipelines as text: a line a step for `repr`, and the plans of ``explain()``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from flower.errors import GraphError
from flower.graph.cogrouping import Sided
from flower.graph.deduplication import Deduplicate
from flower.graph.enriching import Enrich, EnrichInWindow, EnrichVersions, Lookup, addable
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.joins import SIDES, Join, JoinAsof, Joining
from flower.graph.learning import Learn
from flower.graph.nodes import (
    Aggregate,
    Apply,
    Assign,
    Concat,
    Dropped,
    Errors,
    Filter,
    FlatMapRows,
    MapFrames,
    Node,
    Read,
    Require,
    Select,
    WindowInto,
    Write,
    step_names,
    step_text,
    walk,
)
from flower.graph.optimizer.driver import Application
from flower.graph.plan import Consumer, Plan, Stage
from flower.graph.process import Process
from flower.graph.schema import dtype_name
from flower.model.combiners import Combiner
from flower.model.combiners.of_side import OfSide
from flower.model.time import MAX_TIME, duration_text
from flower.model.triggers import ON_TIME_ONLY, AfterWatermark, machine_of
from flower.model.windows import CountWindows

STAGES = ("logical", "optimized", "physical")


class Text(str):
    """Text that a terminal shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def graph_text(roots: Node | Sequence[Node]) -> Text:
    """Print a line a step, inputs first: its name, verb and arguments, and its inputs if they are not the line before.

    Examples
    --------
    >>> import pandas as pd, flower as fl
    >>> graph_text(fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1").node)
    read-1    read frame of 2 rows
    filter-1  filter "v > 1"
    """
    return Text("\n".join(_lines(roots, step_names(roots))))


def schema_text(schema: pa.Schema) -> str:
    """Columns and their dtypes in one line.

    Examples
    --------
    >>> schema_text(pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("s", pa.large_string())]))
    'n int64, s str'
    """
    return ", ".join(f"{field.name} {dtype_name(field)}" for field in schema)


def stream_text(node: Node) -> str:
    """What a stream shows of itself in a terminal: its steps, columns and windows."""
    names = step_names(node)
    lines = [f"{'bounded' if node.bounded else 'unbounded'} stream, {len(names)} step{'s' if len(names) > 1 else ''}"]
    lines += _indented(_lines(node, names))
    lines.append("columns: " + schema_text(node.schema))
    if node.windowing is not None:
        lines.append("windows of the next aggregation: " + node.windowing.source)
    return "\n".join(lines)


def explain(plan: Plan, stage: str | None = None) -> Text:
    """The plans of a pipeline as text.

    Parameters
    ----------
    plan : Plan
        What is explained.
    stage : {"logical", "optimized", "physical"}, optional
        The one to show; None: all.

    Raises
    ------
    GraphError
        If there is no such stage.
    """
    if stage is not None and stage not in STAGES:
        raise GraphError(
            "`stage` must be 'logical', 'optimized' or 'physical'", got=repr(stage), hint="leave it out for all three"
        )
    parts = {
        "logical": lambda: _lines(plan.logical, step_names(plan.logical)),
        "optimized": lambda: _optimized(plan),
        "physical": lambda: _physical(plan),
    }
    if stage is not None:
        return Text("\n".join(parts[stage]()))
    return Text("\n\n".join("\n".join([name, *_indented(parts[name]())]) for name in STAGES))


def step_line(node: Node) -> str:
    """The verb of a step and its arguments, in short."""
    return " ".join(filter(None, [node.verb, _arguments(node)]))


def _arguments(node: Node) -> str:
    match node:
        case Read():
            return ", ".join([node.source.label, *_read_options(node)])
        case Filter() | Require():
            return _quoted(node.predicate)
        case Select():
            return ", ".join(new if new == old else f"{new} (from {old})" for new, old in node.columns)
        case Assign():
            return ", ".join(f"{name}={_quoted(value)}" for name, value in node.columns)
        case MapFrames() | FlatMapRows():
            return str(node.fn)
        case WindowInto():
            return node.into.source
        case Apply():
            return f"by {', '.join(node.keys)}: {node.fn}"
        case Aggregate():
            results = [f"{each.name}={_aggregation(each.column, each.combiner)}" for each in node.aggregations]
            return (f"by {', '.join(node.keys)}: " if node.keys else "") + ", ".join(results)
        case Sided():
            return f"{node.label}, on {', '.join(node.on)}" + (f": {', '.join(node.columns)}" if node.columns else "")
        case Enrich() | EnrichVersions() | EnrichInWindow():
            options = [f"{n}={v!r}" for n, v in enrich_options(node).items()]
            return ", ".join([f"on {', '.join(node.on)}", *options])
        case Joining():
            return ", ".join([f"on {', '.join(node.on)}", *(f"{n}={v!r}" for n, v in join_options(node).items())])
        case Process():
            parts = [f"by {', '.join(node.keys)}: {node.fn}"]
            parts += [f"state {name}={kind!r}" for name, kind in node.state]
            parts += [f"timer {name} of {domain} time" for name, domain in node.timers]
            return ", ".join(parts)
        case Learn():
            parts = [node.model.text, *(f"{name}={value!r}" for name, value in learn_options(node).items())]
            return (f"by {', '.join(node.keys)}: " if node.keys else "") + ", ".join(parts)
        case Deduplicate():
            error = "" if node.error is None else f", error={node.error!r}"
            return f"by {', '.join(node.keys)}, within={duration_text(node.within)!r}{error}"
        case Write():
            return node.sink.label
    return ""


def learn_options(node: Learn) -> dict[str, object]:
    """The arguments of a step of models besides the model; what has its default is left out."""
    options: dict[str, object] = {"x": node.x[0] if len(node.x) == 1 else list(node.x)}
    options |= {} if node.y is None else {"y": node.y}
    name = "prediction" if node.verb == "learn" else "score"
    options |= {name: node.result} if node.result != name else {}
    default = "event_time" if node.input.timed else "arrival"
    options |= {"order": node.order} if node.order != default else {}
    options |= {"missing": node.missing} if node.missing != "error" else {}
    options |= {"mini_batch": True} if node.mini_batch else {}
    return options | ({"checkpoint": node.checkpoint} if node.checkpoint is not None else {})


def join_options(node: Joining) -> dict[str, object]:
    """The arguments of a join besides its streams and keys; what has its default is left out."""
    options: dict[str, object] = {}
    match node:
        case Join(how=how, within=within):
            options |= {"how": how} if how != "inner" else {}
            options |= {} if within is None else {"within": tuple(map(duration_text, within))}
        case JoinAsof(tolerance=tolerance, direction=direction):
            options |= {} if tolerance is None else {"tolerance": duration_text(tolerance)}
            options |= {"direction": direction} if direction != "backward" else {}
    return options | ({"suffixes": node.suffixes} if node.suffixes != ("_x", "_y") else {})


def enrich_options(node: Enrich | EnrichVersions | EnrichInWindow) -> dict[str, object]:
    """The arguments of an enrichment besides its table and keys; what has its default is left out."""
    table = node.inputs[-1] if not isinstance(node, Lookup) else node.table
    options: dict[str, object] = {} if node.how == "left" else {"how": node.how}
    if node.added != addable(table, node.on):
        options["columns"] = list(node.added)
    if isinstance(node, EnrichVersions) and node.tolerance is not None:
        options["ttl"] = duration_text(node.tolerance)
    return options | ({"static": True} if isinstance(node, Enrich) and table.timed else {})


def _read_options(node: Read) -> list[str]:
    options = []
    if node.columns is not None:
        options.append(f"columns {', '.join(node.columns)}")
    if node.event_time is not None:
        options += [f"event_time={node.event_time!r}", f"watermark={node.watermark!r}"]
        options += [f"tz={node.tz!r}"] if node.tz != "UTC" else []
    if node.arrival is not None:
        options.append(f"arrival={node.arrival!r}")
    return options


def _aggregation(column: str | None, combiner: Combiner) -> str:
    return repr(combiner) if column is None or isinstance(combiner, OfSide) else repr((column, combiner))


def _quoted(value: Expr | FrameFunction) -> str:
    """An expression as text that a verb takes, a function by its name."""
    text = str(value)
    if isinstance(value, FrameFunction):
        return text
    return f'"{text}"' if '"' not in text else repr(text)


def _lines(roots: Node | Iterable[Node], names: Mapping[Node, str]) -> list[str]:
    nodes = list(walk(roots))
    width = max(len(names[node]) for node in nodes)
    lines = []
    for before, node in zip([None, *nodes], nodes, strict=False):
        line = f"{names[node]:<{width}}  {step_line(node)}"
        if node.inputs and node.inputs != (before,):
            line += f"  <- {', '.join(names[each] for each in node.inputs)}"
        lines.append(line)
    return lines


def _optimized(plan: Plan) -> list[str]:
    lines = _lines(plan.optimized, step_names(plan.optimized))
    lines.append("")
    if not plan.applications:
        return [*lines, "no rule applied"]
    lines.append("rules applied:")
    return lines + _indented(_application(each) for each in plan.applications)


def _application(done: Application) -> str:
    known = set(walk(done.before))
    new = [step_line(node) for node in walk(done.after) if node not in known]
    return f"{done.rule} on {step_text(done.before, {done.before: done.before.name or ''})}: " + (
        f"now {', then '.join(new)}" if new else "not needed"
    )


def _physical(plan: Plan) -> list[str]:
    lines: list[str] = []
    lookups = dict.fromkeys(op.node for stage in plan.stages for op in stage.ops if isinstance(op.node, Lookup))
    for node in lookups:
        lines.append(f"before the first row, the table of {node.name}, read whole:")
        lines += _indented(_lines(node.table, step_names(node.table)))
    for index, stage in enumerate(plan.stages):
        lines.append(f"stage {index}: {_origin(stage, plan)}")
        lines += _indented(_stage(stage, plan.consumers))
    return lines


def _origin(stage: Stage, plan: Plan) -> str:
    sources = " and ".join(f"stage {index}" for index in stage.inputs)
    match stage.origin:
        case Read() as read:
            return f"{stage.name} reads {read.source.label}"
        case Aggregate() as keyed:
            by = f"keyed by {', '.join(keyed.keys)}" if keyed.keys else "all in one group"
            verb = "gathers" if isinstance(keyed, Apply) else "aggregates"
            return f"{stage.name} {verb} rows of {sources}, {by}"
        case Joining() as join:
            return f"{stage.name} joins rows of {sources}, keyed by {', '.join(join.on)}"
        case Process() as process:
            return f"{stage.name} processes rows of {sources}, keyed by {', '.join(process.keys)}"
        case Learn() as learn:
            by = f"a model for each of {', '.join(learn.keys)}" if learn.keys else "one model"
            return f"{stage.name} has {by} learn from rows of {sources}"
        case Deduplicate() as distinct:
            return f"{stage.name} deduplicates rows of {sources}, keyed by {', '.join(distinct.keys)}"
        case Dropped():
            return f"{stage.name}: what {sources} dropped"
        case Errors() as errors:
            return f"{stage.name}: the rows that {errors.of.name} and the steps before it could not process"
    raise TypeError(f"rows come from no {stage.origin!r}")


def _stage(stage: Stage, consumers: Sequence[Consumer]) -> list[str]:
    lines = []
    match stage.origin:
        case Read() as read:
            lines += _reading(read)
        case Aggregate() as keyed:
            lines += _keeping(keyed)
        case Joining() as join:
            lines += _holding(join)
        case Process() as process:
            lines += _remembering(process)
        case Learn() as learn:
            waits = "when the watermark has passed a row's time" if learn.order == "event_time" else "at once"
            lines += [
                "state: " + ("a model a key" if learn.keys else "a model") + ", as bytes",
                f"fires: {waits}",
                "asked before it learns: "
                + ("of all rows of an epoch" if learn.mini_batch else "of one row at a time"),
            ]
        case Deduplicate() as distinct:
            lines += [
                "state: the keys and event times of the rows given"
                if distinct.error is None
                else f"state: a Bloom filter of the rows given, which errs {distinct.error:g} of the time",
                "fires: at once",
                f"they are held until the watermark passes the time by {duration_text(distinct.within)}",
            ]
        case _:
            pass
    if stage.ops:
        lines.append("in one pass over the rows:")
    slots = [stage.name]
    for op in stage.ops:
        verb = "columns as in the first part" if isinstance(op.node, Concat) else step_line(op.node)
        origin = "" if op.source == len(slots) - 1 else f"  <- {slots[op.source]}"
        slots.append(_distinct(op.node.name or "", slots))
        lines.append(f"  {slots[-1]}: {verb}{origin}")
    for delivery in stage.deliveries:
        consumer = consumers[delivery.port]
        if consumer.kind == "aggregate":
            what = f"{consumer.step}, combined by key and window before rows are exchanged"
        elif consumer.kind == "join":
            what = f"{consumer.step}, its {SIDES[consumer.side]} side, dealt by key"
        elif consumer.kind == "rows":
            what = f"{consumer.step}, dealt by key"
        elif isinstance(consumer.node, Write):
            what = f"{consumer.step}, staged and committed once an epoch"
        else:
            what = "output"
        lines.append(f"{slots[delivery.slot]} -> {what}")
    return lines


def _distinct(name: str, taken: Sequence[str]) -> str:
    """``name``, with a number if a step runs on several parts of a concat."""
    count = sum(each == name or each.startswith(f"{name} #") for each in taken)
    return f"{name} #{count + 1}" if count else name


def _reading(read: Read) -> list[str]:
    every = read.source.schema.names
    columns = "all" if read.columns is None else f"{len(read.columns)} of"
    lines = [f"columns: {', '.join(read.schema.names)} ({columns} {len(every)})"]
    if read.event_time is not None:
        lines.append(f"event time: {read.event_time}; watermark: {read.watermark!r} a partition, then the least")
    return lines


def _keeping(keyed: Aggregate) -> list[str]:
    windowing = keyed.grouping
    trigger = windowing.trigger
    if isinstance(windowing.windows, CountWindows):
        return [
            f"windows: {windowing.windows!r}",
            f"state: per key the rows of the window that is not full; partial {_partial(keyed)}",
            "fires: when a window is full, and when the stream ends",
        ]
    kept = ["a bucket a window end"]
    if windowing.windows.merging:
        kept = ["sessions of each key, merged where they overlap"]
    elif windowing.sliced and not keyed.input.retracting:
        kept = ["each row once, in slices of which windows are put together"]
    if trigger != ON_TIME_ONLY:
        kept.append("per key and window the rows since the last pane, and since when")
    if machine_of(trigger).initial:
        kept.append("what the trigger counts by itself")
    if isinstance(trigger, AfterWatermark):
        fires = ["when the watermark passes the end of the window"]
        if trigger.early is not None:
            fires.append(f"before it, {trigger.early!r}")
        if windowing.allowed_lateness_us:
            late = trigger.late
            fires.append(f"after it, {late!r}" if late is not None else "after it, once an epoch if late rows came")
    else:
        fires = [repr(trigger)]
    if trigger.finishes:
        fires.append("then never again: rows that come afterwards are dropped")
    holds = (
        "for ever"
        if windowing.allowed_lateness_us == MAX_TIME
        else "until the watermark passes its end"
        + (f" by {duration_text(windowing.allowed_lateness_us)}" if windowing.allowed_lateness_us else "")
    )
    every = dict.fromkeys(repr(each.combiner) for each in keyed.aggregations if each.combiner.needs_all)
    kept += [f"for {', '.join(every)} all values"] if every else []
    if windowing.ttl_us is not None:
        holds += f", or the newest row of the key in it by {duration_text(windowing.ttl_us)}"
    return [
        f"windows: {windowing.windows!r}, {windowing.accumulation}",
        f"state: {'; '.join(kept)}; partial {_partial(keyed)}",
        f"fires: {'; '.join(fires)}",
        f"a window is held {holds}",
    ]


def _holding(node: Joining) -> list[str]:
    """What a join holds, and until when."""
    match node:
        case Join(within=None):
            windowing = node.grouping
            late = duration_text(windowing.allowed_lateness_us) if windowing.allowed_lateness_us < MAX_TIME else "ever"
            again = f"; again for late rows, {windowing.accumulation}" if windowing.allowed_lateness_us else ""
            return [
                f"windows: {windowing.windows!r}",
                "state: the rows of both sides, by window end",
                f"fires: when the watermark passes the end of the window{again}",
                "a window is held until the watermark passes its end" + (f" by {late}" if again else ""),
            ]
        case EnrichInWindow():
            return [
                f"windows: {node.grouping.windows!r}",
                "state: rows that wait; of the table the newest row of each key and window",
                "fires: at the first row of the key in the window, or when the watermark passes its end",
            ]
        case Join(within=(low, high)):
            return [
                "state: the rows of both sides, by key and event time",
                "fires: at once; what nothing joins, when nothing can" if node.keeps != "inner" else "fires: at once",
                f"a left row is held until the watermark passes its time by {duration_text(high)}, "
                f"a right row by {duration_text(-low)}",
            ]
    assert isinstance(node, JoinAsof)
    wait = "" if node.direction == "backward" else f" by {duration_text(node.tolerance or 0)}"
    return [
        "state: left rows that wait, and right rows that may be the nearest of one to come",
        f"fires: when the watermark passes a left row's time{wait}",
    ]


def _remembering(node: Process) -> list[str]:
    """What a person's own code remembers, and when it is called."""
    state = ", ".join(f"{name}={kind!r}" for name, kind in node.state) or "none"
    lines = [
        f"state: per key {state}",
        "called: " + ("for all keys of an epoch at once" if node.vectorised else "for each key that has rows"),
    ]
    for name, domain in node.timers:
        what = "the watermark passes" if domain == "event" else "the clock reaches"
        held = "its time" if domain == "event" else "the event time of what set it"
        lines.append(f"timer {name}: fires when {what} its time; until then it holds the watermark at {held}")
    late = node.allowed_lateness_us
    if late < MAX_TIME:
        lines.append(f"rows that are {duration_text(late)} behind the watermark are dropped")
    return lines


def _partial(keyed: Aggregate) -> str:
    return ", ".join(dict.fromkeys(each.combiner.name for each in keyed.aggregations))


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}".rstrip() for line in lines]
