"""The journal gives back what was written, and refuses what was not."""

import pickle
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from flower.errors import SourceError
from flower.io import journal
from flower.io.journal import JournalReader, JournalWriter


def written(directory, sizes):
    writer = JournalWriter(str(directory))
    for at, size in enumerate(sizes):
        writer.append(pa.table({"v": range(writer.end, writer.end + size)}), at)
    writer.close()
    return JournalReader(str(directory), "numbers")


@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=8), data=st.data(), small=st.booleans())
def test_any_range_is_read_as_it_was_written(sizes, data, small, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "SEGMENT_BYTES", 400 if small else 2**20)
        reader = written(tmp_path_factory.mktemp("journal"), [1, *sizes])
    total = 1 + sum(sizes)
    start = data.draw(st.integers(0, total - 1))
    end = data.draw(st.integers(start + 1, total))
    assert reader.read(start, end)["v"].to_pylist() == list(range(start, end))


def test_a_full_segment_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 20)
    reader = written(tmp_path, [2, 3])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{0:016}.journal", f"{2:016}.journal"]
    assert reader.read(1, 4)["v"].to_pylist() == [1, 2, 3]


def test_rows_appended_after_the_first_read_are_read(tmp_path):
    writer = JournalWriter(str(tmp_path))
    reader = JournalReader(str(tmp_path), "numbers")
    writer.append(pa.table({"v": [1]}), 0)
    assert reader.read(0, 1)["v"].to_pylist() == [1]
    writer.append(pa.table({"v": [2]}), 0)
    assert reader.read(0, 2)["v"].to_pylist() == [1, 2]
    writer.close()


def test_arrival_times_are_kept(tmp_path):
    assert [entry.arrival_us for entry in written(tmp_path, [1, 2, 1]).arrivals()] == [0, 1, 2]


def test_a_reader_travels_to_another_process(tmp_path):
    reader = pickle.loads(pickle.dumps(written(tmp_path, [3])))
    assert reader.read(0, 3)["v"].to_pylist() == [0, 1, 2]


def only(directory) -> Path:
    (path,) = directory.iterdir()
    return path


@pytest.mark.parametrize("cut", [1, 7, 40, 200])
def test_a_truncated_segment_is_refused_by_name(tmp_path, cut):
    reader = written(tmp_path, [2, 2])
    path = only(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(SourceError, match=path.name):
        reader.read(0, 4)


def test_every_flipped_byte_is_noticed(tmp_path):
    written(tmp_path, [2])
    path = only(tmp_path)
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        with pytest.raises(SourceError, match=path.name):
            JournalReader(str(tmp_path), "numbers").read(0, 2)


def test_a_foreign_file_is_refused_by_name(tmp_path):
    reader = written(tmp_path, [1])
    only(tmp_path).write_bytes(b"something else altogether")
    with pytest.raises(SourceError, match="another format"):
        reader.read(0, 1)


def test_rows_that_were_never_written_are_refused(tmp_path):
    with pytest.raises(SourceError, match="no row at position 2"):
        written(tmp_path, [2]).read(0, 3)
