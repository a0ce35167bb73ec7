"""Deposits and findings in tables: sorted as numbers, live, with the selection kept by deposit, not by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QItemSelectionModel, QModelIndex, Qt, QTimer, Signal
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
#: More changed rows than this are told of together.
_FEW = 20


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `text` and `value` give what a cell says and sorts by, `more` its tooltip; `tip` is the header's. A `narrow` one
    is as wide as its texts.
    """

    title: str
    text: Callable[[Any], str]
    value: Callable[[Any], float | str] = field(default=lambda thing: 0.0)
    tip: str = ""
    more: Callable[[Any], str] = field(default=lambda thing: "")
    narrow: bool = False


class ThingsModel(QAbstractTableModel):
    """Things in rows, each with a key that stays the same while the thing changes; sorted by a column's values.

    It sorts by itself: Qt's sorting proxy asks for every value many times over, which a thousand rows feel.
    """

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.keys: list[Any] = []
        self.things: list[Any] = []
        self._by, self._falling = 0, False

    def show_things(self, things: Iterable[tuple[Any, Any]]) -> bool:
        """Take (key, thing) pairs; gives whether rows came or went (else cells changed, and rows their places)."""
        fresh = self._in_order(things)
        before, keys = set(self.keys), list(fresh)
        gone, come = [key for key in self.keys if key not in fresh], [key for key in keys if key not in before]
        if len(gone) + len(come) > _FEW:
            self.beginResetModel()
            self.keys, self.things = keys, list(fresh.values())
            self.endResetModel()
            return True
        self._exchange(gone, come, keys, fresh)
        old = dict(zip(self.keys, self.things, strict=True))
        self._arrange(fresh)
        self._tell([at for at, key in enumerate(keys) if old[key] is not fresh[key]])
        return bool(gone or come)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Qt's hook: a header was clicked."""
        self._by, self._falling = max(column, 0), order == Qt.SortOrder.DescendingOrder
        self._arrange(self._in_order(zip(self.keys, self.things, strict=True)))

    def _in_order(self, things: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        value = self.columns[self._by].value
        return dict(sorted(things, key=lambda pair: value(pair[1]), reverse=self._falling))

    def _exchange(self, gone: list[Any], come: list[Any], keys: list[Any], fresh: dict[Any, Any]) -> None:
        """A few rows go and come; a table of a thousand is not laid out anew for them."""
        for key in gone:
            at = self.keys.index(key)
            self.beginRemoveRows(QModelIndex(), at, at)
            del self.keys[at], self.things[at]
            self.endRemoveRows()
        for key in come:
            at = keys.index(key)
            self.beginInsertRows(QModelIndex(), at, at)
            self.keys.insert(at, key)
            self.things.insert(at, fresh[key])
            self.endInsertRows()

    def _arrange(self, fresh: dict[Any, Any]) -> None:
        """The same rows with their present things, in another order where need be; what is selected stays so."""
        keys = list(fresh)
        if keys == self.keys:
            self.things = list(fresh.values())
            return
        self.layoutAboutToBeChanged.emit()
        uncounted = self.persistentIndexList()
        place = {key: at for at, key in enumerate(keys)}
        moved = [self.index(place[self.keys[index.row()]], index.column()) for index in uncounted]
        self.keys, self.things = keys, list(fresh.values())
        self.changePersistentIndexList(uncounted, moved)
        self.layoutChanged.emit()

    def renew(self) -> None:
        """All cells may say something else, though the things are the same."""
        self._tell(range(len(self.keys)))

    def _tell(self, rows: Sequence[int]) -> None:
        """These rows changed; a view of a thousand is not painted anew for one."""
        if len(rows) > _FEW:
            self.dataChanged.emit(self.index(rows[0], 0), self.index(rows[-1], len(self.columns) - 1))
            return
        for row in rows:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def retitle(self, at: int, title: str) -> None:
        """Another header for a column: its unit changed."""
        if self.columns[at].title != title:
            changed = replace(self.columns[at], title=title)
            self.columns = (*self.columns[:at], changed, *self.columns[at + 1 :])
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, at, at)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Qt's hook."""
        return 0 if parent is not None and parent.isValid() else len(self.keys)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Qt's hook."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Qt's hook: rows may be dragged and be dropped on."""
        return super().flags(index) | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsDropEnabled

    def data(self, index: QModelIndex, role: int = int(Qt.ItemDataRole.DisplayRole)) -> Any:
        """Qt's hook."""
        column, thing = self.columns[index.column()], self.things[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(thing)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.more(thing) or None
        if role == Qt.ItemDataRole.TextAlignmentRole and isinstance(column.value(thing), float):
            return _RIGHT
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = int(Qt.ItemDataRole.DisplayRole)
    ) -> Any:
        """Qt's hook."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        return column.title if role == Qt.ItemDataRole.DisplayRole else None


class ThingsTable(QTableView):
    """A table of things that sorts by value and selects by key.

    Signals
    -------
    chosen(list)
        Keys of the selected rows, after a person selected them.
    """

    chosen = Signal(list)

    def __init__(self, columns: Sequence[Column], parent: QWidget | None = None, sort_by: int = 0) -> None:
        super().__init__(parent)
        self._things = ThingsModel(columns, self)
        self.setModel(self._things)
        self._still = False
        self._dropped: Callable[[list[Any], Any], None] | None = None
        self._dress()
        self.sortByColumn(sort_by, Qt.SortOrder.AscendingOrder)
        self.selectionModel().selectionChanged.connect(self._selected)

    def show_things(self, things: Iterable[tuple[Any, Any]]) -> None:
        """Take (key, thing) pairs; what was selected stays so."""
        keys = self.selected()
        self._still = True
        if self._things.show_things(things):
            self.select(keys)
            QTimer.singleShot(0, self._fit)
        self._still = False

    def renew(self) -> None:
        """All cells may say something else, though the things are the same."""
        self._things.renew()

    def retitle(self, at: int, title: str) -> None:
        """Another header for a column."""
        self._things.retitle(at, title)

    def selected(self) -> list[Any]:
        """Keys of the selected rows."""
        return [self._things.keys[index.row()] for index in self.selectionModel().selectedRows()]

    def select(self, keys: Iterable[Any]) -> None:
        """Select the rows of keys, quietly."""
        before, self._still = self._still, True
        flags = QItemSelectionModel.SelectionFlag
        self.clearSelection()
        for key in keys:
            if key in self._things.keys:
                index = self._things.index(self._things.keys.index(key), 0)
                self.selectionModel().select(index, flags.Select | flags.Rows)
                self.scrollTo(index)
        self._still = before

    def shown(self) -> list[list[str]]:
        """The texts as they stand, row by row."""
        return [[column.text(thing) for column in self._things.columns] for thing in self._things.things]

    def let_drop(self, dropped: Callable[[list[Any], Any], None]) -> None:
        """Let rows be dragged onto another; `dropped` gets their keys and that of the row beneath."""
        self._dropped = dropped
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(True)

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Qt's hook: rows come down on a row; the table itself moves nothing."""
        if event is None or self._dropped is None:
            return
        index = self.indexAt(event.position().toPoint())
        if index.isValid():
            self._dropped(self.selected(), self._things.keys[index.row()])
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()

    def _dress(self) -> None:
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(22)
        # As wide as what is seen: a thousand rows are not gone through for every stroke.
        self.horizontalHeader().setResizeContentsPrecision(0)
        self._fit()
        self.setMinimumHeight(110)

    def _fit(self) -> None:
        """Columns as wide as their texts; Qt does it itself, but for rows that are not laid out yet."""
        header, fit = self.horizontalHeader(), QHeaderView.ResizeMode
        for at, column in enumerate(self._things.columns):
            header.setSectionResizeMode(at, fit.ResizeToContents if column.narrow else fit.Stretch)

    def _selected(self, *_: Any) -> None:
        if not self._still:
            self.chosen.emit(self.selected())
