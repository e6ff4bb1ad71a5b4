"""A job as bytes for workers: what cannot travel is refused before the run, by step and by name.

Functions travel by value, also those of modules that a person writes beside the notebook: workers may not have them,
or an older text of them. What only the driver can use (a frame, a function that is a sink) stays behind; workers get
its description.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from types import ModuleType
from typing import Any

from flower.engine.dask_tasks import Local
from flower.engine.job import Job
from flower.errors import GraphError
from flower.graph.nodes import Aggregate, Node, Read, WindowInto, Write, walk
from flower.graph.protocols import MarkedSource


class LocalSink:
    """What workers know of a sink that only the driver can use."""

    driver_local = True

    def __init__(self, label: str) -> None:
        self.label = label


def stays(thing: object) -> bool:
    """Whether a source or a sink is used by the driver alone."""
    return bool(getattr(thing, "driver_local", False)) and not isinstance(thing, MarkedSource)


def packed_job(job: Job) -> tuple[str, bytes]:
    """A job's hash, and the job as bytes.

    Raises
    ------
    GraphError
        If a function of it, or what it has captured, cannot travel.
    """
    import cloudpickle

    local: dict[int, tuple[str, object]] = {}
    for node in walk(job.plan.logical + job.plan.optimized):
        if isinstance(node, Read) and stays(node.source):
            local[id(node.source)] = ("source", Local(node.source))
        elif isinstance(node, Write) and stays(node.sink):
            local[id(node.sink)] = ("sink", LocalSink(node.sink.label))

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def persistent_id(self, thing: object) -> object:
            return local.get(id(thing))

    out = io.BytesIO()
    with _by_value(_modules(job)):
        try:
            Pickler(out).dump(job)
            unpacked_job(out.getvalue())
        except Exception as error:
            raise _refusal(job, error, local) from error
    blob = out.getvalue()
    return hashlib.sha256(blob).hexdigest()[:16], blob


def unpacked_job(blob: bytes) -> Job:
    """The job of bytes that `packed_job` made."""
    import pickle

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, told: Any) -> object:
            return told[1]

    loaded: Job = Unpickler(io.BytesIO(blob)).load()
    return loaded


def _functions(node: Node) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions that a person gave to a step."""
    seen: set[int] = set()

    def search(value: object, depth: int) -> Iterator[Callable[..., Any]]:
        if id(value) in seen or depth > 6 or isinstance(value, Node | ModuleType):
            return
        seen.add(id(value))
        if inspect.isfunction(value) or inspect.ismethod(value) or inspect.isclass(value):
            yield value
        elif isinstance(value, tuple | list):
            for each in value:
                yield from search(each, depth + 1)
        elif hasattr(value, "__dataclass_fields__"):
            for each in fields(value):  # type: ignore[arg-type]
                yield from search(getattr(value, each.name, None), depth + 1)
        elif hasattr(value, "fn"):
            yield from search(value.fn, depth + 1)

    for each in fields(node):
        if each.name not in ("input", "parts", "of"):
            for fn in search(getattr(node, each.name), 0):
                yield node.name or node.verb, fn


def _modules(job: Job) -> set[ModuleType]:
    """Modules that a person writes: not installed, not Python's, not Flower's."""
    found = set()
    for node in walk(job.plan.logical + job.plan.optimized):
        things: list[object] = [fn for _, fn in _functions(node)]
        if isinstance(node, Read):
            things.append(type(node.source))
        if isinstance(node, Write) and not stays(node.sink):
            things.append(type(node.sink))
        if isinstance(node, WindowInto):
            things.append(type(node.into.windows))
        if isinstance(node, Aggregate):
            things += [type(each.combiner) for each in node.aggregations]
        for thing in things:
            module = sys.modules.get(getattr(thing, "__module__", None) or "")
            if module is not None and _is_written(module):
                found.add(module)
    return found


def _is_written(module: ModuleType) -> bool:
    path = getattr(module, "__file__", None)
    if module.__name__ == "__main__" or path is None or module.__name__.split(".")[0] == "flower":
        return False
    installed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(path.startswith(each) for each in installed)


@contextmanager
def _by_value(modules: set[ModuleType]) -> Iterator[None]:
    import cloudpickle

    fresh = [each for each in modules if each.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in fresh:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in fresh:
            cloudpickle.unregister_pickle_by_value(module)


def _refusal(job: Job, error: Exception, local: dict[int, tuple[str, object]]) -> GraphError:
    hint = "make it inside the function, or pass plain values; open files, locks and connections stay where they are"
    for node in walk(job.plan.logical):
        for step, fn in _functions(node):
            if _fails(fn):
                name = getattr(fn, "__qualname__", repr(fn))
                captured = inspect.getclosurevars(fn) if inspect.isfunction(fn) else None
                values = {} if captured is None else {**captured.globals, **captured.nonlocals}
                for variable, value in values.items():
                    if _fails(value):
                        kind = f"{variable!r}, a {type(value).__module__}.{type(value).__qualname__}"
                        return GraphError(
                            f"step {step!r}: the function {name!r} must be able to travel to Dask workers",
                            got=f"one that captured {kind}",
                            hint=hint,
                        )
                return GraphError(
                    f"step {step!r}: the function {name!r} must be able to travel to Dask workers",
                    got=str(error),
                    hint=hint,
                )
        thing = node.source if isinstance(node, Read) else node.sink if isinstance(node, Write) else None
        if thing is not None and id(thing) not in local and _fails(thing):
            return GraphError(f"{thing.label} must be able to travel to Dask workers", got=str(error), hint=hint)
    return GraphError("the pipeline must be able to travel to Dask workers", got=str(error), hint=hint)


def _fails(value: object) -> bool:
    import cloudpickle

    try:
        cloudpickle.loads(cloudpickle.dumps(value))
    except Exception:
        return True
    return False
