"""The house in numbers: rooms, sizes, start-up. python benchmarks/bench_house.py [--checkout DIR ...]

With several checkouts a column each, so that before and after stand beside each other.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

Function = ast.FunctionDef | ast.AsyncFunctionDef
ROOT = Path(__file__).resolve().parents[1]


class House:
    """The modules of a checkout, parsed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        homes = (root / "calcimeasure", root / "plugins")
        self.files = [file for home in homes for file in sorted(home.rglob("*.py"))]
        self.trees = {file: ast.parse(file.read_text()) for file in self.files}

    def nodes(self, kind: type[ast.AST] | tuple[type[ast.AST], ...], under: str = "") -> Iterator[tuple[Path, ast.AST]]:
        """Every node of a kind, with its file."""
        for file, tree in self.trees.items():
            if under in file.relative_to(self.root).as_posix():
                yield from ((file, node) for node in ast.walk(tree) if isinstance(node, kind))

    def functions(self) -> list[Function]:
        """All functions and methods."""
        return [node for _, node in self.nodes((ast.FunctionDef, ast.AsyncFunctionDef))]  # type: ignore[misc]

    def lengths(self) -> list[int]:
        """Lines of every function's body, its docstring aside."""
        return [_lines(function) for function in self.functions()]

    def classes(self) -> list[ast.ClassDef]:
        """All classes."""
        return [node for _, node in self.nodes(ast.ClassDef)]  # type: ignore[misc]


def _lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def _arguments(function: Function) -> int:
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(one.arg not in ("self", "cls") for one in given)


def _public_methods(kind: ast.ClassDef) -> int:
    return sum(isinstance(n, Function) and not n.name.startswith("_") for n in kind.body)


def _largest(house: House) -> str:
    lines, name = max((len(file.read_text().splitlines()), file.name) for file in house.files)
    return f"{lines} ({name})"


def _lazy(house: House) -> int:
    """Imports inside functions of the command line."""
    inside = [node for _, node in house.nodes((ast.FunctionDef,), "calcimeasure/cli/")]
    return sum(isinstance(n, ast.Import | ast.ImportFrom) for function in inside for n in ast.walk(function))


def _aliases(house: House) -> int:
    """Files that define an array alias of their own."""
    return sum(
        any(isinstance(n, ast.Assign) and "NDArray" in ast.unparse(n.value) for n in tree.body)
        for tree in house.trees.values()
    )


def _twice(house: House) -> int:
    names = Counter(kind.name for kind in house.classes())
    return sum(count > 1 for count in names.values())


def _over(house: House, limit: int) -> int:
    doors = house.root / "calcimeasure" / "cli"
    asked = [node for file, node in house.nodes((ast.FunctionDef,)) if doors not in file.parents]
    return sum(_arguments(function) > limit for function in asked)  # type: ignore[arg-type]


def _help_seconds(house: House) -> str:
    """Least of five starts of `calcimeasure --help`."""
    path = {"PYTHONPATH": f"{house.root}:{house.root / 'plugins'}", "PATH": "/usr/bin:/bin"}
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "calcimeasure", "--help"], env=path, check=True, capture_output=True, cwd=house.root
        )
        times.append(time.perf_counter() - begun)
    return f"{min(times):.2f}"


FIGURES: dict[str, Callable[[House], object]] = {
    "modules": lambda h: len(h.files),
    "lines": lambda h: sum(len(f.read_text().splitlines()) for f in h.files),
    "rooms in steps/": lambda h: len(
        {
            f.relative_to(h.root / "calcimeasure/steps").parts[0]
            for f in h.files
            if h.root / "calcimeasure/steps" in f.parents and f.name != "__init__.py"
        }
    ),
    "largest module": _largest,
    "modules over 600 lines": lambda h: sum(len(f.read_text().splitlines()) > 600 for f in h.files),
    "functions": lambda h: len(h.functions()),
    "median body": lambda h: median(h.lengths()),
    "bodies of 20 lines at most, %": lambda h: round(100 * sum(n <= 20 for n in h.lengths()) / len(h.lengths()), 1),
    "bodies over 40 lines": lambda h: sum(n > 40 for n in h.lengths()),
    "over five arguments, command line aside": lambda h: _over(h, 5),
    "classes over 30 public methods": lambda h: sum(_public_methods(c) > 30 for c in h.classes()),
    "class names used twice": _twice,
    "files with array aliases of their own": _aliases,
    "lazy imports in the command line": _lazy,
    "--help, s": _help_seconds,
}


def main() -> None:
    """Print the figures, a column for each checkout."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--checkout", type=Path, nargs="*", default=[ROOT], help="checkouts to compare")
    houses = [House(path.resolve()) for path in cli.parse_args().checkout]
    for name, figure in FIGURES.items():
        print(f"{name:42}", *(f"{figure(house)!s:>24}" for house in houses))


if __name__ == "__main__":
    main()
