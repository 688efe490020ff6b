"""Questions find what was planted in the example fleet, and both engines answer alike."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from vmdiff.errors import ConditionError, InputError
from vmdiff.fleet import example_fleet
from vmdiff.fleet.asking import EngineName, ask, ask_engine, ask_text, engine
from vmdiff.fleet.batch import rows
from vmdiff.fleet.export import Export
from vmdiff.fleet.fleet_answer import FleetAnswer
from vmdiff.fleet.questions import QUESTIONS, Asked, Question, parameters

pytest.importorskip("duckdb")
sqlglot = pytest.importorskip("sqlglot")
pytestmark = pytest.mark.xdist_group("fleet")  # whose making is most of the work

HOSTS = 1000  # with two of the outliers and the leak


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("fleet")
    with Export(folder) as export:
        for snapshot in example_fleet.snapshots(HOSTS):
            if int(snapshot.host.name[-4:]) % 8 in {0, 1}:  # 250 hosts: enough, in a quarter of the time
                export.add(rows(snapshot))
    return str(folder)


def asked(question: Question, most: int = 20) -> Asked:
    between = "version=1.4..1.5" if question.needs == "between" else None
    path = "*/libshop1*" if question.needs == "path" else None
    return parameters(question, between=between, path=path, most=most)


def answer(fleet: str, name: str) -> FleetAnswer:
    question = QUESTIONS[name]
    return ask(question, [fleet], asked(question))


def test_growth_ranks_the_planted_regression_first(fleet: str) -> None:
    first, *others = answer(fleet, "growth").rows
    assert first["who"] == example_fleet.GROWN
    assert 85 <= first["grew_percent"] <= 95
    assert 8 << 20 <= first["median_delta"] <= 16 << 20
    assert all(row["grew_percent"] < 65 for row in others)  # noise grows on half of the hosts


def test_outliers_are_the_planted_ones(fleet: str) -> None:
    found = {(row["host"], row["who"]) for row in answer(fleet, "outliers").rows}
    planted = {host for host in example_fleet.OUTLIERS if int(host[-4:]) < HOSTS and int(host[-4:]) % 8 < 2}
    assert {host for host, who in found if who == "malloc large block"} == planted
    assert found - {(host, "malloc large block") for host in planted} == {
        (example_fleet.LEAKING, "python arena")
    }


def test_the_leak_is_the_only_one_with_that_verdict(fleet: str) -> None:
    leaks = [row for row in answer(fleet, "trend").rows if row["verdict"] == "leak"]
    assert [(row["host"], row["who"]) for row in leaks] == [(example_fleet.LEAKING, "python arena")]
    assert leaks[0]["rss_per_hour"] == pytest.approx(example_fleet.LEAK_PER_HOUR, rel=0.1)


def test_who_counts_hosts(fleet: str) -> None:
    found = answer(fleet, "who").rows
    assert {row["path"] for row in found} == {"/usr/lib/libshop1.so.1"} | {
        f"/usr/lib/libshop1{digit}.so.1" for digit in range(10)
    }
    assert {row["hosts"] for row in found} == {250}


def test_top_adds_up_over_hosts(fleet: str) -> None:
    first = answer(fleet, "top").rows[0]
    assert first["who"] == "jvm heap"
    assert first["hosts"] == 250
    assert first["median_rss"] <= first["largest_rss"] <= first["rss"]


def test_ci_has_spark() -> None:
    """Without it the next test would be skipped, and nobody would know whether the engines still agree."""
    if os.environ.get("CI"):
        pytest.importorskip("pyspark", exc_type=ImportError)
        assert shutil.which("java")


@pytest.mark.skipif(shutil.which("java") is None, reason="no java")
def test_spark_answers_byte_for_byte_alike(fleet: str) -> None:
    pytest.importorskip("pyspark")
    with engine(EngineName.SPARK, [fleet]) as spark:
        for question in QUESTIONS.values():
            assert ask_engine(spark, question, asked(question)).json() == answer(fleet, question.name).json()


FORBIDDEN = {"epoch", "arg_max", "arg_min", "quantile_cont", "corr", "unnest", "list"}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=str)
def test_the_sql_stays_in_what_both_engines_share(question: Question) -> None:
    for dialect in ("duckdb", "spark"):
        (tree,) = sqlglot.parse(question.sql, read=dialect)
        assert tree.find(sqlglot.exp.Qualify) is None
    assert not set(re.findall(r"\b([a-z_]+) *\(", question.sql)) & FORBIDDEN


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=str)
def test_an_answer_has_the_columns_that_are_described(fleet: str, question: Question) -> None:
    found = ask(question, [fleet], asked(question, most=3))
    assert 0 < len(found.rows) <= 3
    assert set(found.rows[0]) == {"place", *question.columns}
    document = json.loads(found.json())
    assert (document["format"], document["version"]) == ("vmdiff-answer", 1)
    assert document["question"] == question.name
    assert document["parameters"]["most"] == 3


@pytest.mark.parametrize(
    ("name", "between", "path", "message"),
    [
        ("growth", None, None, "growth: needs --between"),
        ("growth", "1.4..1.5", None, "write TAG=BEFORE..AFTER"),
        ("top", "version=1..2", None, "top: takes no --between"),
        ("who", None, None, "who: needs --path"),
        ("who", None, "/lib/[ab]", "only \\* and \\?"),
    ],
)
def test_what_cannot_be_asked_is_said(name: str, between: str | None, path: str | None, message: str) -> None:
    with pytest.raises(ConditionError, match=message):
        parameters(QUESTIONS[name], between=between, path=path, most=5)


def test_an_unknown_tag_names_those_there_are(fleet: str) -> None:
    question = QUESTIONS["growth"]
    with pytest.raises(ConditionError, match="no snapshot has the tag 'release'; there are version, region"):
        ask(question, [fleet], parameters(question, between="release=1..2", path=None, most=5))


@pytest.mark.parametrize("value", ["x' or '1'='1", "x\\", "x\n"])
def test_a_value_is_no_sql(fleet: str, value: str) -> None:
    question = QUESTIONS["growth"]
    chosen = Asked(5, "version", value, "1.5")
    if value.isprintable() and "\\" not in value:
        assert ask(question, [fleet], chosen).rows == ()
    else:
        with pytest.raises(ConditionError):
            ask(question, [fleet], chosen)


def test_a_pattern_of_a_path_takes_percent_and_underscore_as_they_are(fleet: str) -> None:
    question = QUESTIONS["who"]
    for path in ("/usr/lib/libshop_.so.1", "%"):
        assert ask(question, [fleet], parameters(question, between=None, path=path, most=5)).rows == ()


@pytest.mark.parametrize(
    "sql",
    [
        "copy pieces to '{folder}/stolen.csv'",
        "select * from read_csv('/etc/passwd')",
        "install httpfs",
        "attach '{folder}/made.duckdb'",
        "set enable_external_access = true",
    ],
)
def test_a_text_of_somebodys_own_can_only_read_the_export(fleet: str, tmp_path: Path, sql: str) -> None:
    with pytest.raises(InputError):
        ask_text("mine", sql.format(folder=tmp_path), [fleet], Asked())
    assert list(tmp_path.iterdir()) == []


def test_a_text_of_somebodys_own_is_answered(fleet: str) -> None:
    found = ask_text("mine", "select count(distinct host) as hosts from pieces", [fleet], Asked())
    assert found.rows == ({"hosts": 250},)


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path / "missing", tmp_path):
        with pytest.raises(InputError, match=str(place)):
            ask(QUESTIONS["top"], [str(place)], Asked())
