"""The command ``calcimeasure``, also as ``python -m calcimeasure``.

Ctrl-C while all that is needed is still being imported ends it as quietly as later.
"""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line (the console script's entry point)."""
    try:
        from calcimeasure.cli import app

        app()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        _leave()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _leave()
        raise


def _leave() -> None:
    """End with the code for an interrupt: Python itself would end by the signal, if it came amid an `exec`."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
