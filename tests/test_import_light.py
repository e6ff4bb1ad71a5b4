"""`import flower` loads next to nothing beyond pandas and pyarrow."""

import json
import subprocess
import sys

LOADED = """
import json, sys
import pandas, pyarrow, pyarrow.compute, pyarrow.parquet, pyarrow.csv, pyarrow.json, pyarrow.dataset, pyarrow.fs
before = set(sys.modules)
import flower
own = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(own - set(sys.stdlib_module_names))))
"""


def test_import_flower_loads_no_other_distribution_than_pandas_and_pyarrow():
    child = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    assert json.loads(child.stdout) == ["flower"]
