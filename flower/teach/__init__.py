"""The Dataflow Model for learners: the published figures as streams that run.

Examples
--------
>>> from flower import teach
>>> teach.figure("102_fig9_discarding").title
'Early, on-time and late panes, discarding'
"""

from flower.teach.figures import Figure, figure, figures

__all__ = ["Figure", "figure", "figures"]
