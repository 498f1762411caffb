"""Query parameters: numbers within bounds, harmless names, lists in a text, and who may see what."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from protocol.jobhistory.v1 import jobhistory_pb2 as pb
from services.entrance.wire.queries import history_query, ids_query, number, undone_query


def query(all_users: bool = False, /, **texts: str) -> pb.JobHistoryQuery:
    return history_query(texts, "alice", all_users=all_users)


@pytest.mark.parametrize(("text", "value"), [("", 7), ("0", 0), ("42", 42), ("-42", -42), ("007", 7), ("1000", 1000)])
def test_a_number_is_whole_and_within_its_bounds(text: str, value: int) -> None:
    assert number({"n": text}, "n", 7, 1000) == value
    assert number({}, "n", 7) == 7


@pytest.mark.parametrize("text", ["x", "1.5", "1e3", " 1", "+1", "--1", "-", "٣", "²", "1001", "-1001", "9" * 400])
def test_any_other_text_is_refused_by_the_parameters_name(text: str) -> None:
    with pytest.raises(Invalid, match="n must be a whole number up to 1000") as caught:
        number({"n": text}, "n", 7, 1000)
    assert (caught.value.code, caught.value.field) == (21304, "n")


def test_without_parameters_it_is_the_first_page_of_the_callers_jobs() -> None:
    assert query() == pb.JobHistoryQuery(submit_user="alice", page=1, page_size=20)


def test_every_parameter_has_its_place() -> None:
    assert query(
        startDate="1000", endDate="2000", status="Running,Succeed", taskID="7", executeApplicationName="flink",
        creator="my-app", instance="10.0.0.1:9001", runType="sql", pageNow="3", pageSize="50",
    ) == pb.JobHistoryQuery(
        submit_user="alice", created_from_ms=1000, created_to_ms=2000, statuses=["Running", "Succeed"], job_id=7,
        engine_type="flink", creator="my-app", instance="10.0.0.1:9001", run_type="sql", page=3, page_size=50,
    )  # fmt: skip


def test_empty_statuses_are_no_statuses() -> None:
    assert list(query(status=",Failed,").statuses) == ["Failed"]


def test_only_who_may_see_all_users_can_choose_one() -> None:
    assert query(proxyUser="bob").submit_user == "alice"
    assert query(True, proxyUser="bob").submit_user == "bob"
    assert query(True).submit_user == ""


@pytest.mark.parametrize(
    "name", ["creator", "executeApplicationName", "proxyUser", "instance", "engineInstance", "runType"]
)
@pytest.mark.parametrize("value", ["a b", "a'--", 'a"', "a%", "名", "IDE\n", "٣"])
def test_names_are_of_harmless_characters(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"Invalid {name} : ") as caught:
        query(**{name: value})
    assert (caught.value.code, caught.value.field) == (21304, name)


def test_pages_that_make_no_sense_are_the_usual_ones() -> None:
    assert (query(pageNow="0").page, query(pageNow="-3").page) == (1, 1)
    assert (query(pageSize="0").page_size, query(pageSize="-1").page_size, query(pageSize="1000").page_size) == (
        20,
        20,
        1000,
    )


def test_negative_ids_and_dates_are_none() -> None:
    assert query(taskID="-1", startDate="-1", endDate="-1") == query()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pageSize", "1001"),
        ("pageNow", "3000000000"),
        ("taskID", "x"),
        ("startDate", "yesterday"),
        ("startDate", "253402300800000"),  # the year 10,000
        ("endDate", "9" * 17),
    ],
)
def test_what_no_query_can_hold_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        query(**{name: value})
    assert (caught.value.code, caught.value.field) == (21304, name)


def test_what_is_shown_as_scheduled_is_found_as_scheduled() -> None:
    assert list(query(status="Scheduled,Running").statuses) == ["Scheduled", "Running", "WaitForRetry"]


def test_unended_jobs_are_asked_for_from_an_id_on() -> None:
    wanted = undone_query({"startTaskID": "5", "engineType": "flink", "creator": "IDE"}, "alice", all_users=False)
    assert wanted == pb.JobHistoryQuery(
        submit_user="alice", unended=True, from_job_id=5, engine_type="flink", creator="IDE", page=1, page_size=20
    )
    with pytest.raises(Invalid, match="Invalid engineType : "):
        undone_query({"engineType": "a b"}, "alice", all_users=False)


def test_up_to_30_ids_are_asked_for_at_once() -> None:
    wanted = ids_query({"taskID": "7, 5,"}, "alice", all_users=False)
    assert (wanted.submit_user, list(wanted.job_ids)) == ("alice", [7, 5])
    for text in ("", ",", ",".join(["1"] * 31), "1,x", "1;2"):
        with pytest.raises(Invalid, match="taskID must") as caught:
            ids_query({"taskID": text}, "alice", all_users=False)
        assert (caught.value.code, caught.value.field) == (21304, "taskID")
