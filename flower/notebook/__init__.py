"""Flower in a Jupyter notebook: ``%load_ext flower`` makes streams, runs and charts live.

Where: JupyterLab 4 is tested, in a browser, with every kind of view; Notebook 7, which is made of the same parts, with
every kind of chart. All views are widgets of one kind (anywidget, so a comm with version 2 of Jupyter's widget
protocol), which VS Code and Colab also speak; Flower is not tested there. Where a notebook is read without its kernel
stands how each view last looked: a picture or a table, below its place.

- Nothing comes from a network: BokehJS is that of the installed package, sent once a kernel.
- Buttons and selects need the kernel, so while a cell runs they say that they wait, unless kernel and front end have
  subshells, which take them at once. What is drawn goes on either way.
- Keys, panes and cells of tables can be reached by keyboard, and have names for screen readers.
"""

from importlib.util import find_spec

for _needed in ("bokeh", "anywidget", "IPython"):
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"a notebook needs {_needed}; pip install 'flower-streams[notebook]'", name=_needed)
