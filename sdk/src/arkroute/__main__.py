"""`python -m arkroute` is the command `arkroute`."""

import sys

from arkroute.cli import main

if __name__ == "__main__":
    sys.exit(main())
