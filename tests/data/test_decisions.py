"""A log of decisions is read whole, or refused with the line that is wrong."""

import pytest

from core.data.decisions import DecisionRow
from core.data.tables import read_rows
from core.util.errors import SteerError

LOG = "state,action,propensity,reward\nmy chain broke,workshop,0.8,1\n"


@pytest.fixture
def log(tmp_path):
    def write(text: str):
        file = tmp_path / "log.csv"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_a_log_is_read_by_the_names_of_its_columns(log):
    file = log('when,p,said,did,paid\nmonday,0.25,"two lines,\nand a comma",answer,-1.5\n')
    columns = {"state": "said", "action": "did", "propensity": "p", "reward": "paid"}
    [row] = read_rows(file, DecisionRow, columns)
    assert row == DecisionRow(state="two lines,\nand a comma", action="answer", propensity=0.25, reward=-1.5)


def test_a_byte_order_mark_is_no_part_of_the_first_columns_name(log):
    assert read_rows(log("\ufeff" + LOG), DecisionRow)[0].action == "workshop"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("flat tyre,workshop,0,1", "propensity: .*greater than 0 .*'0'"),
        ("flat tyre,workshop,1.2,1", "propensity: .*less than or equal to 1 .*'1.2'"),
        ("flat tyre,workshop,nan,1", "propensity: "),
        ("flat tyre,workshop,0.5,inf", "reward: .*finite"),
        ("flat tyre,workshop,0.5,nan", "reward: .*finite"),
        ("flat tyre,workshop,0.5,much", "reward: .*'much'"),
        ("flat tyre,workshop,0.5", "reward: "),
    ],
)
def test_a_decision_that_nothing_can_be_learnt_from_is_refused_with_its_line(log, row, problem):
    with pytest.raises(SteerError, match=rf"log\.csv is malformed: line 3: {problem}"):
        read_rows(log(f"{LOG}{row}\n"), DecisionRow)


def test_a_missing_column_is_named_beside_those_that_are_there(log):
    with pytest.raises(SteerError, match=r"no column 'reward'; its columns are state, action, propensity, outcome"):
        read_rows(log(LOG.replace("reward", "outcome")), DecisionRow)
