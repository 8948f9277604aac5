"""The oracles are those of the project's notes on the papers, where each claim was checked by hand."""

import pytest

from search_spaces import TABLES, Table
from tuning.tables.printed import Own, Printed, own_numbers


def table(name: str) -> Table:
    found = TABLES[name]
    assert isinstance(found, Table)
    return found


def own(name: str, words: str, *, corrected: bool = False) -> Own:
    claims = [claim for claim in table(name).claims if words in claim.text]
    assert len(claims) == 1, [claim.text for claim in claims]
    return own_numbers(claims[0], table(name), corrected=corrected)


ORACLES = [  # table, words of the claim, verdict, cases that hold, cases
    ("ib2021/table1", "L1 norm", "holds", 4, 4),
    ("ib2021/table2", "1e-3 yields the best", "undecided", 1, 1),
    ("ib2021/table3", "minority classes over CE", "holds", 10, 10),
    ("ib2021/table3", "(long-tailed)", "fails", 2, 5),
    ("ib2021/table3", "(step)", "holds", 5, 5),
    ("ib2021/table3", "come from the majority", "fails", 0, 8),
    ("ib2021/table4", "IB improves on CE", "holds", 20, 20),
    ("ib2021/table4", "IB+CB improves on CE", "fails", 19, 20),
    ("ib2021/table4", "IB alone", "fails", 16, 20),
    ("ib2021/table4", "best of the three", "holds", 20, 20),
    ("ib2021/table4", "combined with focal", "fails", 14, 20),
    ("ib2021/table4", "combined with CB", "fails", 4, 20),
    ("ib2021/table5", "IB outperforms", "holds", 4, 4),
    ("ib2021/table6", "IB is better", "holds", 2, 2),
    ("ib2021/figure3", "100th epoch", "no numbers", 0, 0),
    ("ib2021/figure3", "robust", "no numbers", 0, 0),
    ("cdb2020/table1", "performs better", "fails", 4, 5),
    ("cdb2020/table2", "never too far", "holds", 5, 5),
    ("cdb2020/table2", "falls with tau", "fails", 4, 5),
    ("cdb2020/table3", "in most cases", "holds", 3, 5),
    ("cdb2020/table4", "wide range", "fails", 24, 25),
    ("cdb2020/table4", "not far", "holds", 5, 5),
    ("cdb2020/table5", "boosts", "holds", 2, 2),
    ("cdb2020/table6", "all the metrics", "holds", 4, 4),
    ("cdb2020/table7", "minority", "holds", 4, 4),
    ("cdb2020/figure1", "Clean and Spread", "no numbers", 0, 0),
    ("cb2019/table2", "below the best loss", "holds", 10, 10),
    ("cb2019/table2", "best beta rises", "holds", 4, 4),
    ("cb2019/figure5", "larger beta hurts", "no numbers", 0, 0),
    ("cb2019/table3", "outperforms softmax", "holds", 18, 18),
]


@pytest.mark.parametrize(("name", "words", "verdict", "held", "cases"), ORACLES)
def test_what_the_papers_own_numbers_say(name, words, verdict, held, cases):
    found = own(name, words)
    assert (found.verdict, found.held, found.cases) == (verdict, held, cases)


def test_every_claim_of_the_papers_is_checked():
    claims = {(name, claim.text) for name, t in TABLES.items() if isinstance(t, Table) for claim in t.claims}
    checked = {(name, text) for name, text in claims for n, words, *_ in ORACLES if n == name and words in text}
    left = {(name, text) for name, text in claims - checked if not name.startswith("controls/")}
    assert {name for name, _ in left} <= {"ib2021/figure2", "cb2019/figure5"}  # they print no numbers


def failing(found: Own) -> set[tuple[str, ...]]:
    return {(*one.contrast.better.rows, *one.contrast.worse.rows, one.contrast.case) for one in found.failing}


def test_where_they_fail():
    assert {case for *_, case in failing(own("ib2021/table4", "IB alone"))} == {
        "cifar100-lt-10",
        "cifar10-step-100",
        "cifar10-step-10",
        "cifar100-step-10",
    }
    assert failing(own("ib2021/table4", "IB+CB improves")) == {("IB+CB", "CE", "cifar100-lt-10")}
    assert failing(own("ib2021/table3", "(long-tailed)")) >= {
        ("IB", "Focal", "lt-frog"),
        ("IB", "Focal", "lt-horse"),
        ("IB", "Focal", "lt-ship"),
    }
    assert failing(own("cdb2020/table1", "performs")) == {("CDB-CE", "EQL", "0.995")}
    assert {case for *_, case in failing(own("cdb2020/table2", "falls"))} == {"0.95"}
    assert failing(own("cdb2020/table4", "wide range")) == {("tau=5.0", "tau=0", "tau=5.0, cifar100-lt-10")}
    assert {case for *_, case in failing(own("cdb2020/table3", "most"))} == {"cifar100-lt-200", "cifar100-lt-20"}


def test_one_claim_holds_only_because_of_a_mistake_in_print():
    right = own("ib2021/table4", "best of the three", corrected=True)
    assert (right.verdict, right.held, right.cases) == ("fails", 19, 20)
    assert {one.contrast.case for one in right.failing} == {"cifar100-lt-10"}


def by_rows(found: Own) -> dict[tuple[str, str], Printed]:
    return {(one.contrast.worse.rows[0], one.contrast.case): one for one in found.printed}


def test_welch_on_ib_s_table_2():
    found = {row: one for (row, _), one in by_rows(own("ib2021/table2", "1e-3")).items()}
    assert {row: round(one.p or 0, 3) for row, one in found.items()} == {
        "a": pytest.approx(0.04, abs=0.005),
        "c": pytest.approx(0.25, abs=0.005),
        "d": pytest.approx(0.001, abs=0.001),
    }
    assert found["a"].corrected == pytest.approx(0.08, abs=0.01)
    assert found["c"].difference == pytest.approx(0.62)


def test_welch_on_cdb_s_table_1():
    found = by_rows(own("cdb2020/table1", "performs"))
    for (row, column), one in found.items():
        if row in ("CE", "IFW", "Focal", "CB"):
            assert one.p is not None and one.p < 0.01, (row, column)
    assert found["EQL", "0.99"].p == pytest.approx(0.22, abs=0.01)
    assert found["EQL", "0.995"].difference == 0
    later = [found["L2RW", column].p for column in ("0.95", "0.98", "0.99", "0.995")]
    assert (min(later), max(later)) == pytest.approx((0.17, 0.58), abs=0.01)  # type: ignore[type-var]


def test_the_sizes_of_differences():
    gains = {}
    for one in own("ib2021/table3", "come from").printed:
        sign = 1 if one.contrast.strict else -1
        gains.setdefault(one.contrast.case, []).append(round(sign * one.difference, 1))
    assert (gains["Focal, lt"], gains["LDAM-DRW, lt"]) == ([-10.3, 11.3], [-1.1, 12.4])
    far = own("cdb2020/table2", "never too far")
    assert min(one.difference for one in far.printed) == pytest.approx(-0.17)
    assert min(one.difference for one in own("cdb2020/table4", "not far").printed) == pytest.approx(-0.73)
    boosts = [one.difference for one in own("cdb2020/table5", "boosts").printed]
    assert boosts == pytest.approx([1.10, 2.30])
    best = {}
    for one in own("cb2019/table2", "below").printed:
        best[one.contrast.case] = min(one.difference, best.get(one.contrast.case, 99))
    assert (min(best.values()), max(best.values())) == pytest.approx((0.46, 4.12), abs=0.005)
    close = by_rows(own("cdb2020/table3", "most"))
    assert close["MW-Net", "cifar100-lt-50"].difference == pytest.approx(0.04)
    assert close["LDAM-DRW", "cifar100-lt-10"].difference == pytest.approx(0.03)


def test_the_dynamic_tau_is_the_best_at_no_ratio():
    differences: dict[str, float] = {}
    for one in own("cdb2020/table4", "not far").printed:
        differences[one.contrast.case] = min(one.difference, differences.get(one.contrast.case, 99))
    assert all(difference < 0 for difference in differences.values()) and len(differences) == 5
