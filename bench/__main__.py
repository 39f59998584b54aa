"""`python -m bench`."""

import sys

if __name__ == "__main__":
    try:
        from bench.cli.cli import main
        from bench.search_path import checkout_last
    except KeyboardInterrupt:
        sys.exit(130)  # as `main` does
    checkout_last()
    sys.exit(main())
