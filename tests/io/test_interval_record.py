"""What a comparison left behind survives its journal unchanged."""

import json

import pytest

from calcimeasure.io.results.interval_record import IntervalRecord
from calcimeasure.io.results.journal import RunJournal
from calcimeasure.model.quantity import Quantity
from calcimeasure.model.study import Change, DepositChange, Fate, FilmPair, Link, Status, Verdict
from calcimeasure.model.warning import Code, Remark
from calcimeasure.report.words import in_one, sentences

CHANGE = Change(
    Status.COMPARED,
    Verdict.IMPROVED,
    (Remark.of(Code.BEYOND_ERROR_AND_CUT, way="decrease", cut=25.0),),
    before=Quantity(12.0, 0.5, "mm2", (("outline", 0.5),)),
    percent=-30.0,
    percent_interval=(-40.0, -20.0),
    deposits=(
        DepositChange("1", Fate.SHRUNK, (1, 2), (3,), (4, 5), None, Quantity(12.0, None, "mm2"), confirmed=True),
        DepositChange("2", Fate.NEW, followup=(1,), followup_point=(7, 8)),
    ),
    under_rules={"25 % alone": Verdict.STABLE},
    warnings=(Remark.of(Code.FILM_NOT_EVALUABLE, film="hand", why=(Remark.of(Code.NO_LIMB_ON_ONE),)),),
)
RECORD = IntervalRecord(
    "k",
    "A\tv1\tv2",
    (FilmPair("A/v1", "A/v2", "", CHANGE, (Link((1, 2), (3,)),)),),
    (Remark.of(Code.AT_ONE_VISIT, film="A/v1/foot"),),
)


def test_a_record_comes_back_as_it_was() -> None:
    again = IntervalRecord.from_json(RECORD.to_json())
    assert again == RECORD
    assert again.pairs[0].change.deposits[0].fate is Fate.SHRUNK
    assert again.pairs[0].change.before == CHANGE.before


def test_a_record_of_before_there_were_codes_keeps_its_words() -> None:
    told = json.loads(RECORD.to_json())
    change = told["pairs"][0]["change"]
    change["reason"], change["warnings"], change["deposits"][0]["note"] = "too dark; too small", ["a", "b"], ""
    told["alone"] = ["A/v1/foot: at one visit only"]
    again = IntervalRecord.from_json(json.dumps(told))
    found = again.pairs[0].change
    assert in_one(found.reason) == "too dark; too small"
    assert sentences(found.warnings) == ("a", "b")
    assert (found.deposits[0].note, sentences(again.alone)) == ((), ("A/v1/foot: at one visit only",))


@pytest.mark.parametrize("line", ["", "{}", "[]", RECORD.to_json()[:-5], RECORD.to_json().replace("shrunk", "eaten")])
def test_a_torn_line_is_told(line: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        IntervalRecord.from_json(line)


def test_a_journal_keeps_the_newest_and_forgets_a_torn_end(tmp_path) -> None:  # type: ignore[no-untyped-def]
    journal = RunJournal(tmp_path / "j", IntervalRecord.from_json, lambda record: record.name)
    with journal:
        journal.add(RECORD)
        journal.add(IntervalRecord("newer", RECORD.name))
        journal.add(IntervalRecord("k", "B"))
    (tmp_path / "j").write_bytes((tmp_path / "j").read_bytes()[:-4])
    with journal:
        assert journal.get("B") is None
        assert journal.get(RECORD.name) == IntervalRecord("newer", RECORD.name)
