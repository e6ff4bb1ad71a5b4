"""Rows into a directory of Parquet files, one an epoch."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa

from flower.io.epoch_files import EpochFiles


class ParquetSink(EpochFiles):
    """Parquet files that ``pandas.read_parquet(directory)`` reads as one; see `EpochFiles`."""

    kind = "parquet"
    suffix = ".parquet"

    def _write(self, file: BinaryIO, rows: pa.RecordBatch) -> None:
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_batches([rows]), file)
