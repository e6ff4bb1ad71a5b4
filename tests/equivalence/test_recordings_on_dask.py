"""What is recorded, and directories that are watched, on a Dask cluster."""

import json

import pandas as pd

import flower as fl


def test_a_recording_is_the_same_on_workers(client):
    ticks = fl.read.rate(1000, start="2000-01-01T00:00:00Z", keys=3)
    counts = ticks.window(fl.FixedWindows("10ms")).groupby("key").agg(n="count", last=("value", "max"))
    recording = fl.record(ticks, "1min", rows=200).wait()
    recorded = counts.on(recording)
    pd.testing.assert_frame_equal(recorded.collect(executor=client), recorded.collect())
    fl.recordings.clear()


def test_a_watched_directory_is_read_by_the_driver(client, tmp_path):
    rows = [{"t": f"2000-01-01T00:00:{second:02}Z", "v": second} for second in range(30)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    stream = fl.read.json_lines(
        tmp_path, event_time="t", schema={"t": "datetime64[us, UTC]", "v": "int64"}, watch="10ms"
    )
    run = stream.window(fl.FixedWindows("10s")).agg(v=("v", "sum")).run(client)
    while run.metrics.rows_in < 30:
        run.pause().step().resume()
    run.drain()
    assert run.results["v"].tolist() == [45, 145, 245]
