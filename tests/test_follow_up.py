"""What a later visit says of a new deposit."""

import pytest

from calcimeasure.follow_up import confirmed
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, Status, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.words import sentences
from calcimeasure.steps.change.compare import CompareSettings

NEW = DepositChange("7", Fate.NEW, area_after=Quantity(12.0, 0.5, "mm2"))
SPECK = DepositChange("7", Fate.NEW, area_after=Quantity(1.0, 0.5, "mm2"))


def change(new: DepositChange) -> Change:
    """From 100 to 60 mm2 and the new deposit, which nobody confirmed."""
    after = 60.0 + new.area_after.value
    return Change(
        Status.COMPARED,
        Verdict.IMPROVED,
        before=Quantity(100.0, 2.0, "mm2"),
        after=Quantity(after, 2.0, "mm2"),
        change=Quantity(after - 100, 2.8, "mm2"),
        detectable=7.0,
        deposits=(new,),
        warnings=(Remark.of(Code.NEW_UNCONFIRMED, count=1),),
    )


@pytest.mark.parametrize(
    ("new", "later", "verdict", "known"),
    [
        (NEW, {"7"}, Verdict.WORSE, True),
        (NEW, {"8"}, Verdict.IMPROVED, False),
        (SPECK, {"7"}, Verdict.IMPROVED, True),
    ],
    ids=["seen again", "never seen again", "too small to count"],
)
def test_a_new_deposit_counts_once_it_is_seen_again(
    new: DepositChange, later: set[str], verdict: Verdict, known: bool
) -> None:
    found = confirmed(change(new), later, CompareSettings())
    assert (found.verdict, found.deposits[0].confirmed) == (verdict, known)
    assert any("unconfirmed" in text for text in sentences(found.warnings)) is not known
