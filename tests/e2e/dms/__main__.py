"""Starts the program from the repository, without an installation: `python3 tests/e2e/dms`."""

import sys

from dmslake_dms.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
