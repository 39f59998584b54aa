"""`python -m bench`."""

import sys

from bench.cli.cli import main
from bench.search_path import checkout_last

if __name__ == "__main__":
    checkout_last()
    sys.exit(main())
