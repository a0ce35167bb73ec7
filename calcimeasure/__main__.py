"""The command ``calcimeasure``, also as ``python -m calcimeasure``.

Ctrl-C while all that is needed is still being imported ends it as quietly as later.
"""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line (the console script's entry point)."""
    try:
        from calcimeasure.cli import app

        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
