"""Flower in a Jupyter notebook: ``%load_ext flower`` makes streams, runs and charts live."""

from importlib.util import find_spec

for _needed in ("bokeh", "anywidget", "IPython"):
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"a notebook needs {_needed}; pip install 'flower-streams[notebook]'", name=_needed)
