"""The texts by which artifacts are meant, and the names they may have."""

from __future__ import annotations

import pytest

from commons.process.errors import Invalid
from services.entrance.references import (
    Reference,
    default_name,
    is_name,
    parse_reference,
    version_name,
    version_number,
)

ID = "1c8b78e1-ea12-4fa5-9637-ddc9e9a25bae"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("my-job", Reference("my-job", name="my-job")),
        (" my-job ", Reference("my-job", name="my-job")),
        ("my-job@v000002", Reference("my-job@v000002", name="my-job", number=2)),
        ("bob/my-job_1.0.x", Reference("bob/my-job_1.0.x", owner="bob", name="my-job_1.0.x")),
        ("bob/my-job@v999999", Reference("bob/my-job@v999999", owner="bob", name="my-job", number=999_999)),
        (ID, Reference(ID, id=ID)),
        (f"{ID}@v000003", Reference(f"{ID}@v000003", id=ID, number=3)),
        (f"resource_036{ID}v000001", Reference(f"resource_036{ID}v000001", id=ID, number=1)),
        (f"resource_036{ID}v1000000", Reference(f"resource_036{ID}v1000000", id=ID, number=1_000_000)),
        ("resource_036x", Reference("resource_036x", name="resource_036x")),
        ("resource_9", Reference("resource_9", name="resource_9")),
    ],
)
def test_what_is_meant(text: str, meant: Reference) -> None:
    assert parse_reference(text, "f") == meant


WRONG = [
    "", " ", "@", "@v000001", "a@", "a@1", "a@v1", "a@v0000002", "a@v000000", "a@latest", "a@v000001@v000002", "a b",
    "/a", "a/", "a/b/c", "a/..", "-a", ".a", "a,b", "a+b", "名", "a\0", "a\nb", "x" * 101, "b ob/a", "a@v٠٠٠٠٠١",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_reference(text, "the field")
    assert caught.value.field == "the field" and len(caught.value.message) < 300


def test_a_version_is_given_once() -> None:
    assert parse_reference("a", "f").with_version("v000002", "version").number == 2
    assert parse_reference("a@v000002", "f").with_version("v000002", "version").number == 2
    assert parse_reference("a@v000002", "f").with_version("", "version").number == 2
    with pytest.raises(Invalid, match="names another version"):
        parse_reference("a@v000001", "f").with_version("v000002", "version")
    with pytest.raises(Invalid) as caught:
        parse_reference("a", "f").with_version("2", "version")
    assert caught.value.field == "version"


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("my-job.jar", "my-job"), ("My.JAR", "My"), ("data.csv", "data.csv"), ("noend", "noend"), ("a b.jar", ""),
        ("名.jar", ""), (".jar", ""), ("x" * 101, ""), (ID, ""), (f"resource_036{ID}", ""), ("-x.jar", ""),
    ],
)  # fmt: skip
def test_an_artifact_is_called_after_its_file(file_name: str, name: str) -> None:
    assert default_name(file_name) == name
    assert not name or is_name(name)


@pytest.mark.parametrize("number", [1, 2, 999_999, 1_000_000])
def test_versions_count_up(number: int) -> None:
    assert version_number(version_name(number), "f") == number
