"""The counts that `tox -e fuzz` wrote to BENCH_FUZZ_REPORT, as a table."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tabulate import tabulate


def main() -> None:
    """Print the table, with a line for all."""
    rows = [json.loads(line) for line in Path(os.environ["BENCH_FUZZ_REPORT"]).read_text().splitlines()]
    total = {key: sum(row[key] for row in rows) for key in ("inputs", "refused", "tracebacks", "hangs")}
    largest = max(row["megabytes"] for row in rows)
    print(tabulate([*rows, {"reader": "all", **total, "megabytes": largest}], headers="keys", tablefmt="github"))


if __name__ == "__main__":
    main()
