"""The table of deposits: sorted by value, and only what changed is told of."""

import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy")

from napari_calcimeasure._table import Column, ThingsModel
from qtpy.QtCore import Qt

COLUMNS = (Column("No.", str, lambda thing: thing[0]), Column("Area", str, lambda thing: thing[1]))


def _model(*things: tuple[int, float]) -> ThingsModel:
    model = ThingsModel(COLUMNS)
    model.show_things((thing[0], thing) for thing in things)
    return model


@pytest.mark.parametrize(
    ("column", "order", "keys"),
    [
        (0, Qt.SortOrder.AscendingOrder, [1, 2, 10]),
        (0, Qt.SortOrder.DescendingOrder, [10, 2, 1]),
        (1, Qt.SortOrder.AscendingOrder, [2, 10, 1]),
    ],
)
def test_rows_are_sorted_as_numbers(column: int, order: Qt.SortOrder, keys: list[int]) -> None:
    model = _model((10, 5.0), (2, 1.0), (1, 7.5))
    model.sort(column, order)
    assert model.keys == keys
    assert [thing[0] for thing in model.things] == keys


def test_a_row_that_grew_moves_and_what_is_held_moves_along() -> None:
    model = _model((1, 1.0), (2, 2.0), (3, 3.0))
    model.sort(1)
    held = model.index(0, 0)
    from qtpy.QtCore import QPersistentModelIndex

    followed = QPersistentModelIndex(held)
    model.show_things((key, (key, area)) for key, area in ((1, 9.0), (2, 2.0), (3, 3.0)))
    assert model.keys == [2, 3, 1]
    assert followed.row() == 2


@pytest.mark.parametrize("fresh", [[1, 3, 4], [4, 1], [], list(range(1, 60)), [3, 2, 1]])
def test_rows_that_come_and_go_leave_the_rest_in_order(fresh: list[int]) -> None:
    model = _model((1, 1.0), (2, 2.0), (3, 3.0))
    model.show_things((key, (key, float(key))) for key in fresh)
    assert model.keys == sorted(fresh)
    assert [thing[0] for thing in model.things] == sorted(fresh)
    assert model.rowCount() == len(fresh)
