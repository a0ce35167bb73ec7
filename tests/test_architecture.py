"""The house: short functions, one door for each library, no doors elsewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import calcimeasure
from calcimeasure.reading.session import Session

PACKAGE = Path(calcimeasure.__file__).parent
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "training" not in path.parts]
PLUGIN = sorted((PACKAGE.parent / "plugins" / "napari_calcimeasure").glob("*.py"))

#: Each outside library that reads strangers' bytes or draws for people has one door: a file, or a folder.
DOORS = {
    "pydicom": {
        "io/images/dicom.py",
        "io/images/dicom_elements.py",
        "io/images/dicom_frame.py",
        "io/images/functional_groups.py",
    },
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
    "onnxruntime": {"steps/outline/learned.py"},
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


def test_nobody_below_the_doors_goes_through_the_front_page() -> None:
    """It points at every room, so whoever took more than the version from it could climb unseen."""
    doors = (PACKAGE / "cli", PACKAGE / "__init__.py")
    asked = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in FILES
        if not any(path.is_relative_to(door) for door in doors)
        for name in _from_the_front_page(ast.parse(path.read_text()))
    }
    assert asked == set()


def _from_the_front_page(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "calcimeasure":
            yield from (alias.name for alias in node.names if alias.name not in ("__version__", "errors"))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "calcimeasure":
            yield from [node.attr] if node.attr != "__version__" else []


def test_a_command_imports_nothing_late() -> None:
    """The front page finds what it needs when it is used; only the bar of a terminal is fetched when there is one."""
    late = {
        f"{path.stem}: {node.module}"
        for path in (PACKAGE / "cli").glob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    }
    assert late <= {"terminal: rich.console", "terminal: rich.progress"}


def test_nothing_unpickles() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert not _imports(path) & {"pickle", "joblib", "dill", "shelve"}, path.name


def test_file_names_are_nouns_of_the_clinic() -> None:
    assert not {"utils", "helpers", "common", "base", "core", "manager"} & {path.stem for path in FILES}


def test_no_class_has_more_than_thirty_things_to_do() -> None:
    for path in [*FILES, *PLUGIN]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                public = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name[0] != "_"]
                assert len(public) <= 30, f"{path.name}: {node.name}"


def test_rooms_of_the_reader_hold_no_large_module() -> None:
    for path in [*(PACKAGE / "reading").glob("*.py"), *PLUGIN]:
        assert len(path.read_text().splitlines()) <= 600, path.name


def test_a_session_with_all_that_it_inherits_is_small_enough_to_know() -> None:
    assert len([name for name in dir(Session) if name[0] != "_"]) <= 30
