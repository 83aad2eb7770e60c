"""`python -m netsim`: the same as the `netsim` command."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from netsim.cli.main import main

    sys.exit(main())
