"""``stream.write``: sinks. Each gives what can be run: ``stream.write.parquet("out").run()``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from flower.api.pipeline import Written, step_errors
from flower.graph.calls import Call
from flower.graph.nodes import Write as WriteNode
from flower.graph.protocols import Sink
from flower.io.epoch_files import IfExists

if TYPE_CHECKING:
    from flower.api.stream import Stream


class Write:
    """The sinks of a stream.

    Parameters
    ----------
    stream : Stream
        What is written.
    """

    __slots__ = ("_stream",)

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def parquet(self, path: str | os.PathLike[str], *, if_exists: IfExists = "error") -> Written:
        """Write a directory of Parquet files, one for every epoch that has rows.

        A reader sees an epoch's rows all or not at all, and each once. ``pandas.read_parquet(path)`` reads them as one.

        Parameters
        ----------
        path : str or os.PathLike
            The directory; made if it is not there.
        if_exists : {"error", "append", "replace"}
            What to do with a directory that earlier runs have written to. Other files are never touched.

        Raises
        ------
        SinkError
            When it is run: if the directory cannot be written, or is not empty.

        Examples
        --------
        >>> import flower as fl, tempfile
        >>> stream = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]})).filter("v > 1")
        >>> with tempfile.TemporaryDirectory() as out:
        ...     _ = stream.write.parquet(out).run().wait()
        ...     pd.read_parquet(out)
           v
        0  2
        1  3
        """
        from flower.io.parquet_sink import ParquetSink

        with step_errors(self._stream.node, WriteNode.verb):
            return self._to(
                ParquetSink(path, if_exists=if_exists),
                Call.of("write.parquet", self.parquet, (path,), {"if_exists": if_exists}),
            )

    def json_lines(self, path: str | os.PathLike[str], *, if_exists: IfExists = "error") -> Written:
        r"""Write a directory of text files with a JSON object a line, one file for every epoch that has rows.

        A reader sees an epoch's rows all or not at all, and each once; that is why it is no single file, to which rows
        could be seen half appended. ``fl.read.json_lines(path)`` reads them back.

        Parameters
        ----------
        path : str or os.PathLike
            The directory; made if it is not there.
        if_exists : {"error", "append", "replace"}
            What to do with a directory that earlier runs have written to. Other files are never touched.

        Raises
        ------
        SinkError
            When it is run: if the directory cannot be written, or is not empty.

        Examples
        --------
        >>> import flower as fl, tempfile, pathlib
        >>> stream = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]})).filter("v > 1")
        >>> with tempfile.TemporaryDirectory() as out:
        ...     _ = stream.write.json_lines(out).run().wait()
        ...     [path.read_text() for path in pathlib.Path(out).glob("*.jsonl")]
        ['{"v": 2}\n{"v": 3}\n']
        """
        from flower.io.json_sink import JsonLinesSink

        with step_errors(self._stream.node, WriteNode.verb):
            return self._to(
                JsonLinesSink(path, if_exists=if_exists),
                Call.of("write.json_lines", self.json_lines, (path,), {"if_exists": if_exists}),
            )

    def foreach(self, fn: Callable[[pd.DataFrame], object]) -> Written:
        """Call ``fn(frame)`` with the rows of every epoch that has some, in order.

        At least once: after a failure in the middle of an epoch, its rows may come again.

        Parameters
        ----------
        fn : callable
            Takes a frame; what it returns is ignored. If it raises, the run fails.

        Examples
        --------
        >>> import flower as fl
        >>> seen = []
        >>> _ = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]})).write.foreach(seen.append).run().wait()
        >>> seen[0]["v"].tolist()
        [1, 2, 3]
        """
        from flower.io.foreach import ForeachSink

        with step_errors(self._stream.node, WriteNode.verb):
            return self._to(ForeachSink(fn), Call.of("write.foreach", self.foreach, (fn,), {}))

    def _to(self, sink: Sink, call: Call) -> Written:
        return Written(WriteNode(self._stream.node, sink, call=call))
