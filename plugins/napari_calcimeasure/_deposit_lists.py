"""The number and the two lists under it: the deposits, and what was found and is not counted."""

from __future__ import annotations

from collections.abc import Collection

from qtpy.QtWidgets import QLabel, QTabWidget, QVBoxLayout, QWidget

from calcimeasure.model.deposit import Deposit
from calcimeasure.reading.session import Session
from calcimeasure.report.words import area, bare, in_words, reason_in_words
from napari_calcimeasure._buttons import divided
from napari_calcimeasure._table import Column, ThingsTable


class DepositLists(QWidget):
    """Total, deposits and findings of the film in work.

    Parameters
    ----------
    bring_back : QWidget
        The button under what is not counted.
    """

    def __init__(self, bring_back: QWidget) -> None:
        super().__init__()
        self._still_accepted: Collection[int] = ()
        self.total = QLabel("–", objectName="total")
        parts = "outline, scale and, until you went through all outlines, what is missed"
        self.total.setToolTip(f"Sum of all deposits with its 95 % interval: {parts}")
        font = self.total.font()
        font.setPointSizeF(font.pointSizeF() * 1.2)
        font.setBold(True)
        self.total.setFont(font)
        self.table: ThingsTable = ThingsTable(self._columns(), self, sort_by=0)
        self.excluded: ThingsTable = ThingsTable(_FINDINGS, self, sort_by=0)
        self.tabs: QTabWidget = QTabWidget()
        self.tabs.addTab(self.table, "Deposits")
        self.tabs.addTab(divided(self.excluded, bring_back), "Not counted")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(divided(self.total, self.tabs))

    def follow(self, session: Session | None) -> None:
        """Show the numbers of a session; none without one."""
        rows = sorted(session.rows) if session else []
        self.total.setText("–" if session is None else _total(session))
        unit = "mm²" if session and session.image.spacing else "px"
        self.table.retitle(1, f"Area {unit}")
        accepted = session.accepted if session else frozenset()
        renew, self._still_accepted = accepted != self._still_accepted, accepted
        self.table.show_things((number, session.rows[number]) for number in rows if session)
        if renew:
            self.table.renew()
        excluded = session.excluded if session else ()
        self.excluded.show_things((one, one) for one in excluded)
        self.tabs.setTabText(0, f"Deposits ({len(rows)})")
        self.tabs.setTabText(1, f"Not counted ({len(excluded)})")

    def _columns(self) -> tuple[Column, ...]:
        return (
            Column(
                "No.",
                lambda row: str(row.label),
                lambda row: float(row.label),
                "Its number on the picture",
                narrow=True,
            ),
            Column("Area", lambda row: bare(area(row)), lambda row: float(area(row).value), "mm² (px without a scale)"),
            Column("Across", _across, lambda row: float(row.feret_mm or 0.0), "Largest diameter", narrow=True),
            Column(
                "Seen",
                lambda row: "✓" if row.label in self._still_accepted else "",
                lambda row: float(row.label in self._still_accepted),
                tip="✓ accepted by you",
                narrow=True,
            ),
        )


_FINDINGS = (
    Column(
        "Why",
        lambda one: reason_in_words(one.finding.reason),
        lambda one: reason_in_words(one.finding.reason),
    ),
    Column(
        "Size",
        lambda one: f"{one.finding.area_px:,} px",
        lambda one: float(one.finding.area_px),
        narrow=True,
    ),
    Column(
        "Sure",
        lambda one: "–" if one.finding.score is None else f"{100 * one.finding.score:.0f} %",
        lambda one: float(one.finding.score or 0.0),
        "The method's own confidence that it is calcium",
        narrow=True,
    ),
)


def counted(count: int) -> str:
    """How many deposits."""
    return "1 deposit" if count == 1 else f"{count} deposits"


def _total(session: Session) -> str:
    """The sum of all deposits; what nobody searched and nobody outlined has none."""
    if session.negative is not None:
        return f"No calcium, says {session.negative.initials}"
    if not session.is_measured:
        return "Total: not measured yet"
    measured = session.measurement
    return f"Total {in_words(area(measured))} · {counted(measured.count)}"


def _across(row: Deposit) -> str:
    return "–" if row.feret_mm is None else f"{row.feret_mm:.1f} mm"
