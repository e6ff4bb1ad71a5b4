"""Exported scripts run without the notebook, give the same rows, and bring along what they need or say why not."""

import ast
import io
import itertools
import linecache
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pandas as pd
import pytest

import flower as fl
from flower.errors import GraphError, SinkError

REPOSITORY = Path(fl.__file__).parents[1]
SETUP = """
import flower as fl
import numpy as np
import pandas as pd

flights = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
"""
_numbers = itertools.count()


class Notebook:
    """Cells that are run as IPython runs them: in one namespace called ``__main__``, each from a file of its own."""

    def __init__(self, monkeypatch, folder):
        self.folder = folder
        self.module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", self.module)
        monkeypatch.chdir(folder)
        self.run(SETUP)

    def run(self, cell):
        cell = textwrap.dedent(cell).strip() + "\n"
        name = f"<ipython-input-{next(_numbers)}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec", dont_inherit=True), vars(self.module))
        return self

    def __getitem__(self, name):
        return vars(self.module)[name]

    def script(self, *names):
        """The script of variables; checked as every script is."""
        path = self.folder / "job.py"
        fl.to_script(path, *(self[name] for name in names))
        text = path.read_text()
        assert max(map(len, text.splitlines())) <= 100
        for command in (["check", "--no-cache"], ["format", "--check", "--no-cache", "--line-length", "100"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--isolated", path], capture_output=True, text=True
            )
            assert done.returncode == 0, f"{done.stdout}\n{text}"
        return text

    def printed(self, *arguments, **environment):
        done = subprocess.run(
            [sys.executable, self.folder / "job.py", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    made = Notebook(monkeypatch, tmp_path)
    yield made
    for value in vars(made.module).values():
        if isinstance(value, io.IOBase):
            value.close()


PIPELINES = {
    "expressions": """
        out = (flights.filter(pd.col("delay") > 300).assign(hours="delay / 60", far="distance > 1000")
               .drop("flight", "origin").rename(carrier="airline"))
    """,
    "windows": """
        out = (
            flights.filter("delay > 15")
            .window(
                fl.SlidingWindows("12h", every="6h"),
                trigger=fl.AfterWatermark(early=fl.AfterCount(1000), late=fl.AfterCount(1)),
                allowed_lateness="1h",
            )
            .groupby("carrier").agg(flights=("delay", "count"), mean_delay=("delay", "mean"), rows="count")
        )
    """,
    "sessions": """
        out = flights.window(fl.Sessions("3h"), timestamp_combiner="latest").agg(n="count", longest=("delay", "max"))
    """,
    "gaps and predicates": """
        def pause(frame):
            return pd.to_timedelta(frame["distance"], unit="min")

        rows = flights.window(fl.Sessions(pause), trigger=fl.AfterWatermark(early=fl.Repeatedly(fl.When("n > 99"))))
        out = rows.groupby("carrier").agg(n="count")
    """,
    "windows of one's own": """
        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Longer(fl.WindowFn):
            factor: int
            columns = ("distance",)
            merging = True

            def assign(self, time, rows):
                minutes = (rows["distance"] * self.factor).to_numpy().astype("m8[m]")
                return None, time, time + minutes

        out = flights.window(Longer(factor=2)).groupby("carrier").agg(n="count")
    """,
    "code with state and timers": """
        PAUSE = pd.Timedelta("1D")

        class Silent:
            unit = "min"

            def on_rows(self, key, rows, state, timers):
                state.n += len(rows)
                state.seen |= set(rows["origin"])
                timers.end.set(rows["departure"].max() + PAUSE)

            def on_timer(self, name, key, time, state, timers):
                yield {"flights": state.n, "origins": " ".join(sorted(state.seen)) + self.unit}

        def newest(rows, state, timers):
            state["at"] = rows["departure"].groupby(level=0).max()
            return state[["at"]].rename(columns={"at": "newest"})

        silent = flights.groupby("carrier").process(
            Silent,
            state={"n": fl.state.Value("int64", default=0), "seen": fl.state.Set("str")},
            timers={"end": "event"},
            schema={"flights": "int64", "origins": "str"},
        )
        late = flights.groupby("carrier").process(
            newest,
            state={"at": fl.state.Value("datetime64[us, UTC]"), "more": fl.state.Map("str", "float64")},
            schema={"newest": "datetime64[us, UTC]"},
            vectorised=True,
            allowed_lateness="90min",
        )
        out = silent.join_asof(late, "carrier")
    """,
    "windows of rows": """
        out = flights.window(fl.CountWindows(100)).groupby("carrier").agg(worst=("delay", "max"))
    """,
    "two aggregations": """
        daily = flights.window(fl.FixedWindows("1D")).groupby("carrier").agg(worst=("delay", "max")).named("daily")
        out = daily.window(fl.FixedWindows("2D")).agg(mean=("worst", "mean"), carriers=("carrier", "nunique"))
    """,
    "functions": """
        LIMIT = 300
        NAMES = {"UA": "United", "AA": "American"}

        def double(x):
            return x * 2

        def late(frame, limit=LIMIT):
            return frame["delay"] > double(limit) - LIMIT

        def named(frame):
            frame["name"] = frame["carrier"].map(NAMES).astype("str")
            frame["log"] = np.log1p(frame["distance"])
            return frame

        LIMIT = 299
        out = flights.filter(late).map_frames(named)
    """,
    "lambdas": """
        import re
        pattern, day = re.compile("^[UF]"), pd.Timestamp("2013-03-08", tz="UTC")
        out = flights.filter(lambda f: f["delay"] > 250).filter(
            lambda f: f["carrier"].str.match(pattern)
        ).assign(twice=lambda f, n=2: f["delay"] * n, after=lambda f: f["departure"] > day)
    """,
    "closures and loops": """
        def above(limit):
            def keep(frame):
                return frame["delay"] > limit
            return keep

        out = flights.filter(above(350))
        for n in (2, 3):
            out = out.assign(**{f"times {n}": lambda frame, n=n: frame["delay"] * n})
    """,
    "decorated, classes, partial": """
        import functools
        from math import sqrt

        class Scale:
            factor = 3

            @staticmethod
            def of(x):
                return x * Scale.factor

        @functools.lru_cache
        def root(x):
            return sqrt(x)

        def scaled(frame, by):
            frame["scaled"] = Scale.of(frame["delay"]) * by + root(16)
            return frame

        out = flights.filter("delay > 350").map_frames(functools.partial(scaled, by=2))
    """,
    "flat_map_rows": """
        def parts(row):
            for name in ("origin", "destination"):
                yield {"airport": row[name], "delay": row["delay"]}

        out = flights.filter("delay > 350").flat_map_rows(parts, schema={"airport": "str", "delay": "Int64"})
    """,
    "concat": """
        late = flights.filter("delay > 350")
        early = flights.filter("delay < -15")
        out = fl.concat(late.select("carrier", "delay"), early.select("carrier", "delay")).assign(hours="delay / 60")
    """,
    "dropped": """
        strict = fl.read.parquet(fl.datasets.flights, event_time="departure")
        out = strict.window(fl.FixedWindows("1h")).groupby("carrier").agg(n="count").dropped.agg(n="count")
    """,
    "apply": """
        MOST = 2

        def worst(rows):
            return rows.nlargest(MOST, "delay")[["delay", "destination"]]

        def shares(rows):
            return {"late": (rows["delay"] > 15).mean() if len(rows) else 0.0}

        columns = {"delay": "Int64", "destination": "str"}
        late = flights.filter("delay > 200").groupby("carrier").apply(worst, schema=columns)
        out = fl.concat(
            late.select("carrier", "delay").assign(delay="delay * 1.0"),
            flights.groupby("carrier").apply(shares).select("carrier", "late").rename(late="delay"),
        )
    """,
    "errors": """
        out = flights.select("carrier").errors.select("step", "reason").agg(n="count")
    """,
    "replay": """
        out = fl.replay(flights.filter("delay > 300"), speed=1e9, arrival="observed").select("carrier", "delay")
    """,
    "rate": """
        out = fl.read.rate(1_000_000, start="2024-01-01", keys=3, rows=1000).groupby("key").agg(n=("value", "sum"))
    """,
    "generator": """
        START = 3

        def ticks():
            for i in range(START, 9):
                yield {"at": f"2024-01-01T12:00:0{i}Z", "v": i}

        out = fl.read.generator(ticks, event_time="at", bounded=True).window(fl.FixedWindows("2s")).agg(v=("v", "sum"))
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize("cell", PIPELINES.values(), ids=PIPELINES.keys())
def test_a_script_prints_the_rows_of_the_notebook(notebook, cell):
    expected = notebook.run(cell)["out"].run().wait().results
    assert len(expected)
    notebook.script("out")
    assert notebook.printed() == expected.to_string() + "\n"


def test_files_of_text_are_read_with_their_options(notebook):
    Path("rows.csv").write_text("at;v\n2024-01-01T12:00:00Z;1\n2024-01-01T12:05:00Z;2\n")
    Path("rows.jsonl").write_text('{"v": 3}\n')
    notebook.run("""
        from pathlib import Path
        columns = {"at": "datetime64[us, UTC]", "v": "int64"}
        csv = fl.read.csv(Path("rows.csv"), sep=";", schema=columns, event_time="at").select("v")
        out = fl.concat(csv, fl.read.json_lines(["rows.jsonl"], schema={"v": "int64"}))
    """)
    text = notebook.script("out")
    assert 'schema={"at": "datetime64[us, UTC]", "v": "int64"}' in text
    assert sorted(notebook.printed().split()[1:]) == ["0", "1", "1", "2", "2", "3"]


def test_joins_are_written_with_both_of_their_streams(notebook):
    notebook.run("""
        late = flights.filter("delay > 300").select("carrier", "origin", "delay")
        out = late.join(late, ["carrier", "origin"], "left", within=("1min", "3h"), suffixes=("", "_next"))
        others = flights.select("carrier", "distance")
        latest = late.join_asof(others, "carrier", tolerance="10min", direction="nearest")
    """)
    expected = fl.run(notebook["out"], notebook["latest"]).wait().results
    text = notebook.script("out", "latest")
    assert '["carrier", "origin"], how="left", within=("1min", "3h"), suffixes=("", "_next")' in " ".join(text.split())
    assert notebook.printed() == "".join(f"{step}:\n{rows.to_string()}\n" for step, rows in expected.items())


def test_what_chooses_rows_is_written_with_its_arguments(notebook):
    notebook.run("""
        out = flights.deduplicate("carrier", "origin", within="90min").select("carrier", "origin", "delay")
        out = out.deduplicate("delay", within="2h", error=0.01)
    """)
    expected = notebook["out"].collect()
    text = notebook.script("out")
    assert '.deduplicate("carrier", "origin", within="1h 30min")' in text
    assert '.deduplicate("delay", within="2h", error=0.01)' in text
    assert notebook.printed() == f"{expected.to_string()}\n"


def test_branches_are_written_as_the_steps_that_part_them(notebook):
    notebook.run("""
        parts = flights.partition({"late": lambda frame: frame["delay"] > 300})
        late, others = parts["late"].named("late"), parts["rest"].filter("delay < -20").named("others")
    """)
    expected = fl.run(notebook["late"], notebook["others"]).wait().results
    text = notebook.script("late", "others")
    assert text.count(".assign(") == 1
    assert notebook.printed() == "".join(f"{step}:\n{rows.to_string()}\n" for step, rows in expected.items())


def test_several_pipelines_are_one_run(notebook):
    notebook.run("""
        late = flights.filter("delay > 300").named("late")
        total = late.agg(n="count").named("how many")
    """)
    expected = fl.run(notebook["late"], notebook["total"]).wait().results
    text = notebook.script("late", "total")
    assert "fl.run(late, total, executor=arguments.scheduler)" in text
    assert text.count('filter("delay > 300")') == 1
    assert notebook.printed() == "".join(f"{step}:\n{rows.to_string()}\n" for step, rows in expected.items())


def test_a_sink_is_written_to(notebook):
    notebook.run('out = flights.filter("delay > 300").select("carrier").write.parquet("late", if_exists="append")')
    notebook.script("out")
    assert notebook.printed() == ""
    assert notebook.printed("--output", "elsewhere") == ""
    for folder in ("late", "elsewhere"):
        assert len(pd.read_parquet(notebook.folder / folder)) == len(
            notebook["flights"].filter("delay > 300").collect()
        )


def test_a_function_as_a_sink_is_carried(notebook):
    notebook.run("""
        def show(frame):
            print(len(frame))

        out = flights.filter("delay > 400").write.foreach(show)
    """)
    notebook.script("out")
    assert notebook.printed() == "3\n"


def test_output_writes_what_would_be_printed(notebook):
    notebook.run('out = flights.filter("delay > 300").select("carrier", "delay")')
    notebook.script("out")
    assert notebook.printed("--output", "rows") == ""
    pd.testing.assert_frame_equal(
        pd.read_parquet(notebook.folder / "rows"), notebook["out"].collect(), check_dtype=False
    )


def test_a_script_reads_as_a_person_would_write_it(notebook):
    notebook.run("""
        late = flights.filter("delay > 15")
        out = late.window(fl.FixedWindows("1h")).groupby("carrier").agg(n="count").named("late flights an hour")
    """)
    assert notebook.script("out").split("\n\n\n")[1] == textwrap.dedent("""\
        def pipeline():
            flights = fl.read.parquet(
                fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h")
            )
            late = flights.filter("delay > 15")
            return (
                late.window(fl.FixedWindows("1h"))
                .groupby("carrier")
                .agg(n="count")
                .named("late flights an hour")
            )""")


def test_the_scheduler_is_where_it_runs(notebook):
    notebook.run('out = flights.filter("delay > 400")')
    text = notebook.script("out")
    assert "stream.run(arguments.scheduler)" in text
    assert "--scheduler ADDRESS" in notebook.printed("--help")


def test_a_stream_that_never_ends_is_stopped_by_ctrl_c(notebook):
    notebook.run("out = fl.read.rate(10)")
    assert "with contextlib.suppress(KeyboardInterrupt):" in notebook.script("out")


def test_names_of_any_kind_become_variables(notebook):
    notebook.run("""
        fl_, main, pipeline = fl, 1, 2

        def uses(frame):
            return frame[frame["delay"] > main + pipeline + 300]

        out = flights.map_frames(uses).named("class")
        other = out.assign(**{"a b": "delay + 1", "class": "1"}).rename(**{"a b": "for"}).named("1 late flight!")
    """)
    notebook.script("out", "other")
    assert notebook.printed().startswith("class:\n")


# -- secrets


def test_no_secret_is_written(notebook):
    notebook.run("""
        API_TOKEN = "tok-1234"
        DATABASE = "postgres://ann:hunter2@db/flights"
        key = "carrier"
        headers = "abc"

        def send(frame, password="pw-5678"):
            url = "https://ann:hunter3@example.org"
            headers = {"Authorization": API_TOKEN, "secret": "se-9012"}
            link = str("http://h/?token=hunter4")
            return frame[frame[key] != DATABASE + url + link + headers["secret"] + password]

        out = flights.filter("delay > 400").map_frames(send)
    """)
    text = notebook.script("out")
    for secret in ("tok-1234", "hunter2", "hunter3", "hunter4", "pw-5678", "se-9012"):
        assert secret not in text
    assert 'key = "carrier"' in text
    told = str(notebook["out"].to_script("job.py"))
    variables = ["API_TOKEN", "DATABASE", "PASSWORD", "SECRET", "SEND_SECRET", "URL"]
    assert sorted(line.split()[1] for line in told.splitlines()[1:]) == variables
    assert notebook.printed(**dict.fromkeys(variables, "x"))


@pytest.mark.parametrize(
    "body",
    ['f"https://ann:hunter2@{x}"', '"x"  # https://ann:hunter2@example.org'],
)
def test_a_secret_that_cannot_be_replaced_is_refused(notebook, body):
    notebook.run(f"""
        x = "host"
        def send(frame):
            y = {body}
            return frame

        out = flights.map_frames(send)
    """)
    with pytest.raises(GraphError, match=r"step 'map_frames-1' \(map_frames\): .*`send`.*secret.*os.environ"):
        notebook.script("out")


# -- refusals


@pytest.mark.parametrize(
    "cell, message",
    [
        ("log = open('log.txt', 'w')", r"`tag` captured 'log', an open file 'log.txt'; open it inside the function"),
        ("log = pd.DataFrame({'a': [1]})", r"`tag` captured 'log', a DataFrame; write it to a Parquet file"),
        ("log = flights", r"`tag` captured 'log', a Stream; a function of rows cannot use a stream"),
        ("import threading; log = threading.Lock()", r"`tag` captured 'log', a lock; make it inside the function"),
        ("log = object()", r"`tag` captured 'log', an object"),
        ("log = list(range(20_000))", r"`tag` captured 'log', a list"),
    ],
)
def test_what_has_no_source_is_refused_by_name(notebook, cell, message):
    notebook.run(f"""
        {cell}

        def tag(frame):
            log
            return frame

        out = flights.filter("delay > 1").map_frames(tag)
    """)
    with pytest.raises(GraphError, match=rf"step 'map_frames-1' \(map_frames\): .*{message}"):
        fl.to_script("job.py", notebook["out"])
    assert not Path("job.py").exists()


def test_a_closure_over_an_open_file_is_refused(notebook):
    notebook.run("""
        def tagging(file):
            def tag(frame):
                file.write("x")
                return frame
            return tag

        log = open("log.txt", "w")
        out = flights.map_frames(tagging(log), schema=flights.schema)
    """)
    with pytest.raises(GraphError, match=r"`tag` captured 'file', an open file 'log.txt'; open it inside"):
        notebook.script("out")


def test_a_lambda_without_source_is_refused(notebook):
    exec("out = flights.filter(lambda f: f['delay'] > 1)", vars(notebook.module))
    with pytest.raises(GraphError, match=r"step 'filter-1' \(filter\): .*a lambda: its source cannot be found; define"):
        notebook.script("out")


def test_a_function_whose_cell_is_gone_is_refused(notebook):
    exec("def late(f):\n    return f['delay'] > 1\nout = flights.filter(late)", vars(notebook.module))
    with pytest.raises(GraphError, match=r"`late`: its source cannot be found"):
        notebook.script("out")


def test_a_frame_is_refused_with_the_remedy(notebook):
    notebook.run('out = fl.read.frame(pd.DataFrame({"v": [1, 2]})).filter("v > 1")')
    with pytest.raises(GraphError, match=r"step 'read-1' \(read\): .*frame of 2 rows.*to_parquet\(path\)"):
        notebook.script("out")


def test_two_functions_of_one_name_are_refused(notebook):
    notebook.run('def f(x):\n    return x["delay"] > 1\na = flights.filter(f)')
    notebook.run('def f(x):\n    return x["delay"] > 2\nout = a.filter(f)')
    with pytest.raises(GraphError, match=r"step 'filter-2' \(filter\): .*two different things called 'f'"):
        notebook.script("out")


def test_a_name_that_is_not_defined_is_refused(notebook):
    notebook.run("def f(x):\n    return x if True else missing\nout = flights.map_frames(f)")
    with pytest.raises(GraphError, match=r"`f` reads 'missing', which is not defined"):
        notebook.script("out")


def test_a_path_that_cannot_be_written_is_named(notebook):
    with pytest.raises(SinkError, match=r"'nowhere/job.py' must be writable"):
        notebook["flights"].to_script("nowhere/job.py")


def test_what_is_no_stream_is_refused(notebook):
    with pytest.raises(GraphError, match="takes streams and sinks; got str"):
        fl.to_script("job.py", "flights")
    with pytest.raises(GraphError, match="at least one"):
        fl.to_script("job.py")


def test_a_script_is_python_whatever_the_file_is_called(notebook):
    path = notebook.folder / 'a"""\\b.py'
    notebook["flights"].to_script(path)
    ast.parse(path.read_text())
