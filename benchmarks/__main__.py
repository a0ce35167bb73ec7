"""Every figure that the notes quote: ``python -m benchmarks [--shared DIR] [NAME ...]``.

Each benchmark is a script of its own and is run in a process of its own, one after the other.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument(
        "names", nargs="*", choices=[*names, []], help=f"which ones: {', '.join(names)} (all when left out)"
    )
    cli.add_argument("--shared", type=Path, default=HERE.parent.parent / "shared", help="folder with data/ and bench/")
    args = cli.parse_args()
    codes = [_run(name, args.shared) for name in args.names or names]
    sys.exit(max(codes))


def _run(name: str, shared: Path) -> int:
    print(f"\n== {name}", flush=True)
    environment = {**os.environ, "CALCIMEASURE_SHARED": str(shared.resolve())}
    return subprocess.run([sys.executable, HERE / f"bench_{name}.py"], check=False, env=environment).returncode


if __name__ == "__main__":
    main()
