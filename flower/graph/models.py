"""Models of river, as bytes: what they are for, how they are written down, and how they are read.

A model is an object that learns in place. What a pipeline holds of it is the bytes of a pickle, which never change: an
epoch reads them, lets the model learn, and makes new ones. They are read by an unpickler that knows only the classes
and functions of river's estimators, and the few of NumPy and the standard library that these hold; whatever else bytes
name is refused before it is called.

The library is the extra ``river``, loaded with the first model.
"""

from __future__ import annotations

import ast
import inspect
import io
import math
import pickle
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from flower.errors import GraphError

Task = Literal["regression", "classification", "clustering", "anomaly"]

_PARTS = frozenset(
    {
        "_river_rust", "active", "anomaly", "base", "cluster", "compat", "compose", "conf", "covariance", "drift",
        "dummy", "ensemble", "facto", "feature_extraction", "feature_selection", "forest", "imblearn",
        "linear_model", "metrics", "misc", "model_selection", "multiclass", "multioutput", "naive_bayes",
        "neighbors", "optim", "preprocessing", "proba", "reco", "rules", "sketch", "stats", "time_series", "tree",
        "utils"
    }
)  # fmt: skip
"""The parts of river whose classes and functions a model may consist of: no data sets, no streams, no checks."""

_OTHERS: Mapping[str, frozenset[str]] = {
    "builtins": frozenset(
        {"bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "iter", "list", "object"}
        | {"range", "set", "slice", "str", "tuple"}
    ),
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque"}),
    "copy": frozenset({"deepcopy"}),
    "copyreg": frozenset({"_reconstructor"}),
    "datetime": frozenset({"date", "datetime", "time", "timedelta", "timezone"}),
    "functools": frozenset({"partial"}),
    "itertools": frozenset({"count"}),
    "numpy": frozenset({"array", "dtype", "ndarray", "ones", "zeros"}),
    "numpy._core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy.core.multiarray": frozenset({"_reconstruct", "scalar"}),
    "numpy._core.numeric": frozenset({"_frombuffer"}),
    "numpy.core.numeric": frozenset({"_frombuffer"}),
    "numpy.random._generator": frozenset({"Generator"}),
    "numpy.random._mt19937": frozenset({"MT19937"}),
    "numpy.random._pcg64": frozenset({"PCG64"}),
    "numpy.random._pickle": frozenset({"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"}),
    "numpy.random.bit_generator": frozenset({"SeedSequence", "__pyx_unpickle_SeedSequence"}),
    "random": frozenset({"Random"}),
    "statistics": frozenset({"NormalDist"}),
}  # fmt: skip


def library(who: str) -> Any:
    """River.

    Raises
    ------
    GraphError
        If it is not installed.
    """
    try:
        import river.base
    except ImportError as error:
        raise GraphError(f"{who} needs river", got=str(error), hint="pip install 'flower-streams[river]'") from error
    return river


class _Unpickler(pickle.Unpickler):
    """Reads models and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """A class or function that a model may consist of."""
        if (module, name) == ("builtins", "getattr"):
            return _method
        if name in _OTHERS.get(module, ()):
            return super().find_class(module, name)
        root, _, rest = module.partition(".")
        if root == "river" and rest.split(".")[0] in _PARTS:
            found = super().find_class(module, name)
            # Not what a module of river has only imported, and no way through it to anything else.
            if callable(found) and found.__module__ == module and found.__qualname__ == name:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a model of river's")


def _method(of: Any, name: str) -> Any:
    """The method of a part of a model; in place of `getattr`, which finds anything."""
    kind = of if isinstance(of, type) else type(of)
    own = kind is random.Random or kind.__module__.partition(".")[0] == "river"
    if not own or name.startswith("__") or not callable(getattr(kind, name, None)):
        raise pickle.UnpicklingError(f"{name!r} is no method of a part of a model")
    return getattr(of, name)


def written(model: Any) -> bytes:
    """A model as bytes."""
    return pickle.dumps(model, protocol=5)


def read(data: bytes | memoryview) -> Any:
    """The model that bytes are; a new one each time.

    Raises
    ------
    pickle.UnpicklingError
        If they name anything but parts of models.
    """
    return _Unpickler(io.BytesIO(data)).load()


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a pipeline holds it: what each key's begins with.

    Parameters
    ----------
    data : bytes
        Itself.
    task : {"regression", "classification", "clustering", "anomaly"}
        What it is for.
    labelled : bool
        Whether it learns from labels.
    many : bool
        Whether it learns from frames.
    text : str
        Itself with its parameters, for a person.
    version : str
        Of river.
    """

    data: bytes
    task: Task
    labelled: bool
    many: bool
    text: str
    version: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def model_of(model: Any, who: str) -> Model:
    """What a person gave, looked at and copied.

    Raises
    ------
    GraphError
        If river is not there, or it is no model of river's that can be written down.
    """
    library(who)
    from river import base

    if not isinstance(model, base.Base) or isinstance(model, type):
        raise GraphError(
            f"{who} takes a model of river",
            got=repr(model)[:80],
            hint="write linear_model.LinearRegression() after `from river import linear_model`",
        )
    last = _last(model)
    tasks: dict[Any, Task] = {
        base.Classifier: "classification",
        base.Regressor: "regression",
        base.Clusterer: "clustering",
        base.AnomalyDetector: "anomaly",
        base.SupervisedAnomalyDetector: "anomaly",
        base.AnomalyFilter: "anomaly",
    }
    # An anomaly filter wraps a detector, whatever else it says that it is.
    task = next((task for kind, task in reversed(tasks.items()) if isinstance(last, kind)), None)
    if task is None:
        raise GraphError(
            f"{who} takes a classifier, a regressor, a clusterer or an anomaly detector",
            got=type(last).__name__,
            hint="put it before one: preprocessing.StandardScaler() | linear_model.LinearRegression()",
        )
    try:
        data = written(model)
        read(data)
    except Exception as error:  # pickle raises whatever the parts of a model raise
        raise GraphError(
            f"{who} takes a model of parts that are river's, so that it can travel and be kept",
            got=f"{type(error).__name__}: {error}"[:300],
            hint="leave out functions and classes of your own, or call the model in .groupby(...).process(...)",
        ) from error
    labelled = bool(getattr(last, "_supervised", task in ("regression", "classification")))
    steps = list(model.steps.values()) if hasattr(model, "steps") else [model]
    methods = ("learn_many", "predict_many")
    many = all(hasattr(last, name) for name in methods) and all(hasattr(step, "transform_many") for step in steps[:-1])
    try:
        text = ast.unparse(_checked(model)[0])
    except Exception:  # it has no source: then what river calls it has to do
        text = " ".join(repr(model).split())
    return Model(data, task, labelled, many, text, version("river"))


def _last(model: Any) -> Any:
    """The step of a pipeline that predicts."""
    while hasattr(model, "steps") and model.steps:
        model = list(model.steps.values())[-1]
    detector = getattr(model, "anomaly_detector", None)
    return model if detector is None or not hasattr(model, "classify") else detector


# -- as source


def source_of(model: Model) -> tuple[ast.expr, set[str]]:
    """The model as a person writes it, and the imports that this needs.

    Raises
    ------
    ValueError
        If what is written would make another one: it has learnt already, or holds what cannot be written.

    Examples
    --------
    >>> from river import linear_model, preprocessing
    >>> source, imports = source_of(model_of(preprocessing.MinMaxScaler() | linear_model.Perceptron(l2=0.1), "it"))
    >>> print(ast.unparse(source), sorted(imports))
    compose.Pipeline(preprocessing.MinMaxScaler(), linear_model.Perceptron(l2=0.1)) ['from river import compose',
    'from river import linear_model', 'from river import preprocessing']
    """
    return _checked(read(model.data))


def _checked(model: Any) -> tuple[ast.expr, set[str]]:
    imports: set[str] = set()
    source, again = _source(model, imports)
    if _unseeded(model) != _unseeded(again):
        raise ValueError("it has learnt something already, or was changed after it was made")
    return source, imports


def _source(value: Any, imports: set[str]) -> tuple[ast.expr, Any]:
    """A value as source, and what that makes."""
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return ast.Constant(value), value
    if isinstance(value, float):
        return ast.parse(f"float('{value}')", mode="eval").body, value
    if type(value) in (tuple, list):
        parts = [_source(each, imports) for each in value]
        made = type(value)(again for _, again in parts)
        sources = [source for source, _ in parts]
        return (ast.Tuple if type(value) is tuple else ast.List)(sources, ast.Load()), made
    if isinstance(value, dict):  # of whatever kind a class makes of one that it is given
        keys = [_source(key, imports)[0] for key in value]
        values = [_source(each, imports) for each in value.values()]
        again = dict(zip(value, (made for _, made in values), strict=True))
        return ast.Dict(list(keys), [source for source, _ in values]), again
    kind = type(value)
    if kind.__module__.partition(".")[0] != "river" or not hasattr(value, "_get_params"):
        raise ValueError(f"{kind.__name__} is not written into scripts")
    return _made(value, kind, imports)


def _made(value: Any, kind: type, imports: set[str]) -> tuple[ast.expr, Any]:
    """The call of a class of river with the parameters that are not as they are by default."""
    inside = next((getattr(value, name) for name in ("steps", "transformers") if hasattr(value, name)), None)
    if isinstance(inside, dict):
        return _composed(inside, kind, imports)
    arguments: list[tuple[str | None, Any]] = []
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or not hasattr(value, name):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments += [(None, each) for each in getattr(value, name)]
        elif parameter.default is parameter.empty or not _default(value, kind, name):
            arguments.append((name, getattr(value, name)))
    parts = [(name, *_source(each, imports)) for name, each in arguments]
    call = ast.Call(
        _class(kind, imports),
        [source for name, source, _ in parts if name is None],
        [ast.keyword(name, source) for name, source, _ in parts if name is not None],
    )
    positional = [again for name, _, again in parts if name is None]
    return call, kind(*positional, **{name: again for name, _, again in parts if name is not None})


def _default(value: Any, kind: type, name: str) -> bool:
    """Whether a parameter is what it is where nothing is given for it."""
    held, default = getattr(value, name), inspect.signature(kind).parameters[name].default
    if isinstance(held, bool | int | float | str | None):
        return type(held) is type(default) and bool(held == default)
    needed = {
        key: getattr(value, key)
        for key, each in inspect.signature(kind).parameters.items()
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    }
    try:
        return _unseeded(getattr(kind(**needed), name)) == _unseeded(held)
    except Exception:  # whatever a class raises that cannot be made so, or a part that cannot be written
        return False


def _composed(inside: Mapping[str, Any], kind: type, imports: set[str]) -> tuple[ast.expr, Any]:
    """Steps one after another or beside one another, with the names that are not those of their classes."""
    sources: list[ast.expr] = []
    parts: list[Any] = []
    for name, step in inside.items():
        source, again = _source(step, imports)
        named = name != type(step).__name__
        sources.append(ast.Tuple([ast.Constant(name), source], ast.Load()) if named else source)
        parts.append((name, again) if named else again)
    return ast.Call(_class(kind, imports), sources, []), kind(*parts)


def _class(kind: type, imports: set[str]) -> ast.expr:
    """A class by the first module of river that has it."""
    parts = kind.__module__.split(".")
    for end in range(2, len(parts) + 1):
        module = sys.modules.get(".".join(parts[:end]))
        if getattr(module, kind.__name__, None) is kind:
            imports.add(f"from river import {parts[1]}")
            return ast.parse(".".join([*parts[1:end], kind.__name__]), mode="eval").body
    raise ValueError(f"{kind.__qualname__} has no public name")


class _Pickler(pickle.Pickler):
    """Writes models as if their random numbers had never been drawn: where no seed was given, these differ."""

    def reducer_override(self, value: Any) -> Any:
        """Random numbers as nothing but what they are."""
        if isinstance(value, random.Random | np.random.RandomState | np.random.Generator):
            return str, (type(value).__name__,)
        return NotImplemented


def _unseeded(model: Any) -> bytes:
    """What stands for a model but for its random numbers; equal for two that were made alike."""
    # Read again, so that what was one object in memory by chance is one in both or in neither.
    data = io.BytesIO()
    _Pickler(data, protocol=5).dump(read(written(model)))
    return data.getvalue()


# -- as it is called


def predictor(model: Any, task: Task, *, labelled: bool) -> Callable[[Mapping[str, Any], Any], Any]:
    """What a row's features, and its label, are asked of a model."""
    if task == "anomaly":
        if labelled:
            return lambda x, y: model.score_one(x, y)
        return lambda x, _: model.score_one(x)
    return lambda x, _: model.predict_one(x)


def learner(model: Any, *, labelled: bool) -> Callable[[Mapping[str, Any], Any], Any]:
    """How a model learns from a row's features, and its label."""
    if labelled:
        return lambda x, y: model.learn_one(x, y)
    return lambda x, _: model.learn_one(x)
