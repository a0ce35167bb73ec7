"""The house: short functions, one door for each library, no doors elsewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import calcimeasure

PACKAGE = Path(calcimeasure.__file__).parent
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "training" not in path.parts]

#: Each outside library that reads strangers' bytes or draws for people has one door: a file, or a folder.
DOORS = {
    "pydicom": {"io/images/dicom.py", "io/images/dicom_frame.py"},
    "jinja2": {"report/html.py", "report/trial/blocks.py"},
    "matplotlib": {"report/figures.py"},
    "reportlab": {
        "io/results/marker_sheet.py",
        "io/results/trial_report.py",
        "io/results/pdf_text.py",
        "io/results/long_pdf.py",
    },
    "typer": {"cli"},
    "rich": {"cli"},
    "onnxruntime": {"steps/outline/inference.py"},
    "pillow_heif": {"io/images/raster.py"},
}


def _functions() -> Iterator[tuple[str, int]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    yield f"{path.name}:{node.name}", (body[-1].end_lineno or 0) - body[0].lineno + 1


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_functions_are_short() -> None:
    lengths = dict(_functions())
    assert median(lengths.values()) <= 6
    assert sum(length <= 20 for length in lengths.values()) >= 0.9 * len(lengths)
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_each_library_has_one_door() -> None:
    for library, doors in DOORS.items():
        found = [path.relative_to(PACKAGE) for path in FILES if library in _imports(path)]
        assert all({str(path), str(path.parent)} & doors for path in found), library


def test_nothing_unpickles() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not _imports(path) & {"pickle", "joblib", "dill", "shelve"}, path.name


def test_file_names_are_nouns_of_the_clinic() -> None:
    assert not {"utils", "helpers", "common", "base", "core", "manager"} & {path.stem for path in FILES}
