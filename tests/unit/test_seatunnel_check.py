"""What is said of a SeaTunnel job before anything starts."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from services.engineconn.seatunnel import check, hocon
from services.engineconn.seatunnel.classpath import ClassPath
from services.engineconn.seatunnel.reach import Reach

KNOWN = {
    "connector-fake": ("source.FakeSource",),
    "connector-console": ("sink.Console",),
    "connector-jdbc": ("source.Jdbc", "sink.Jdbc"),
    "connector-file-local": ("source.LocalFile", "sink.LocalFile"),
    "connector-cdc-mysql": ("source.MySQL-CDC",),
    "connector-kafka": ("source.Kafka", "sink.Kafka"),
    "seatunnel-transforms-v2": ("transform.Sql", "transform.Filter", "transform.Copy", "transform.Replace"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A SeaTunnel home with every connector but Kafka's."""
    (tmp_path / "connectors").mkdir()
    for jar in KNOWN:
        if jar != "connector-kafka":
            (tmp_path / "connectors" / f"{jar}-2.3.8.jar").touch()
    (tmp_path / "connectors" / "plugin-mapping.properties").write_text("# none\nseatunnel.source.Own = connector-own\n")
    (tmp_path / "connectors" / "connector-own-1.jar").touch()
    (tmp_path / "plugins" / "Jdbc" / "lib").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "plugins" / "Jdbc" / "lib" / "mysql.jar", "w") as jar:
        jar.writestr("com/mysql/cj/jdbc/Driver.class", b"")
    return tmp_path


def look(home: Path, text: str) -> check.Findings:
    config = check.normal(hocon.parse(text, {}))
    (home / "workspace").mkdir(exist_ok=True)
    return check.look(config, ClassPath(home, "2.3.8", KNOWN), Reach(home / "workspace", str(home / "shared")))


def job(source: str = "FakeSource {}", transform: str = "", sink: str = "Console {}", env: str = "") -> str:
    return f"env {{ {env} }}\nsource {{ {source} }}\ntransform {{ {transform} }}\nsink {{ {sink} }}\n"


JDBC = 'url = "jdbc:mysql://h/d", driver = com.mysql.cj.jdbc.Driver, user = u, password = hunter2'
GOOD = {
    "the least": job(),
    "own connectors": job("Own { anything = 1 }"),
    "capitals do not count": job("fakesource {}", sink="CONSOLE {}"),
    "numbers and truth as texts": job('FakeSource { row.num = "5" }', sink='Console { log.print.data = "TRUE" }'),
    "newer names": job(
        "FakeSource { plugin_output = a }, FakeSource { plugin_output = b }", sink='Console { plugin_input = "a, b" }'
    ),
    "a chain": job(
        "FakeSource { result_table_name = a }",
        "Sql { source_table_name = a, result_table_name = b, query = q }\n"
        "Sql { source_table_name = b, result_table_name = c, query = q }",
        "Console { source_table_name = c }",
    ),
    "an older name of an option": job(
        "LocalFile { path = in, file_format_type = text, delimiter = x, schema { fields { a = int } } }"
    ),
    "defaults of what is needed": job(sink=f"Jdbc {{ {JDBC}, query = q }}"),
    "files in the workspace and in allowed folders": job(sink="LocalFile { path = out, file_format_type = json }"),
    "json": '{"env": {}, "source": [{"plugin_name": "FakeSource"}], "sink": [{"plugin_name": "Console"}]}',
}
WRONG = {
    "no env": ("source { FakeSource {} }\nsink { Console {} }", "the section env is missing"),
    "no sink": ("env {}\nsource { FakeSource {} }", "the section sink is missing"),
    "no source": ("env {}\nsource {}\nsink { Console {} }", "the section source is missing"),
    "a source that is none": ("env {}\nsource = 3\nsink { Console {} }", "source must be a list"),
    "a plug-in that is none": ("env {}\nsource { FakeSource = 3 }\nsink { Console {} }", "source 1 is no object"),
    "a plug-in without a name": ("env {}\nsource = [{ a = 1 }]\nsink { Console {} }", "source 1 has no plugin_name"),
    "another mode": (job(env="job.mode = NOPE"), "job.mode must be one of BATCH, STREAMING"),
    "half a reader": (job(env="parallelism = 1.5"), "parallelism must be a whole number"),
    "an unknown plug-in": (
        job("FakeSorce {}"),
        "source 1 (FakeSorce): there is no source FakeSorce; did you mean FakeSource?",
    ),
    "a plug-in like no other": (job("Zzz {}"), "there are FakeSource, Jdbc, Kafka, LocalFile, MySQL-CDC, Own"),
    "a sink as source": (job("Console {}"), "Console is a sink, and no source"),
    "a missing option": (job("Jdbc { url = x }"), "the option driver is missing"),
    "a missing option written wrongly": (job("Jdbc { url = x, drivr = y }"), "driver is missing (there is drivr)"),
    "an option that another needs": (
        job(sink=f"Jdbc {{ {JDBC}, generate_sink_sql = true }}"),
        "the option database is missing when generate_sink_sql is true",
    ),
    "an option that a default needs": (
        job(sink=f"Jdbc {{ {JDBC} }}"),
        "query is missing when generate_sink_sql is false",
    ),
    "both of two": (
        job("FakeSource {}", "Filter { include_fields = [a], exclude_fields = [b] }"),
        "exactly one of include_fields, exclude_fields must be there, and more than one is",
    ),
    "none of two": (job("FakeSource {}", "Filter {}"), "exactly one of include_fields, exclude_fields"),
    "half of a pair": (job("FakeSource {}", "Copy { src_field = a }"), "src_field, dest_field must be there together"),
    "a number that is none": (job("FakeSource { row.num = many }"), "row.num must be a whole number"),
    "a part of a row": (job("FakeSource { row.num = 1.5 }"), "row.num must be a whole number"),
    "truth that is none": (job(sink="Console { log.print.data = perhaps }"), "log.print.data must be true or false"),
    "a list for a text": (job("Jdbc { url = [x], driver = com.mysql.cj.jdbc.Driver }"), "url must be a text"),
    "a number for an object": (job("FakeSource { schema = 3 }"), "schema must be an object"),
    "a choice that is none": (
        job(sink="LocalFile { path = o, file_format_type = jason }"),
        "file_format_type must be one of",
    ),
    "a missing connector": (
        job('Kafka { topic = t, bootstrap.servers = "h:1" }'),
        "the jar connector-kafka is missing; add it with: "
        "python -P -m services engines add seatunnel-2.3.8 connector-kafka",
    ),
    "a missing driver": (
        job("Jdbc { url = x, driver = org.postgresql.Driver, query = q }"),
        "the driver org.postgresql.Driver is in no jar; add its jar with: "
        "python -P -m services engines add seatunnel-2.3.8 org.postgresql:postgresql",
    ),
    "an unknown input": (
        job(
            "FakeSource { result_table_name = aaa }, FakeSource { result_table_name = b }",
            sink="Console { source_table_name = [aab, b] }",
        ),
        "sink 1 (Console) reads aab, which no source or transform gives; there is aaa",
    ),
    "an output nobody reads": (
        job(
            "FakeSource { result_table_name = a }, FakeSource { result_table_name = b }",
            sink="Console { source_table_name = a }",
        ),
        "nobody reads b, which source 2 (FakeSource) gives",
    ),
    "one name for two": (
        job(
            "FakeSource { result_table_name = a }, FakeSource { result_table_name = a }",
            sink="Console { source_table_name = a }",
        ),
        "source 1 (FakeSource) and source 2 (FakeSource) have the same result_table_name a",
    ),
    "two sinks of one name": (
        job(
            "FakeSource { result_table_name = a }",
            sink="Console { source_table_name = a, result_table_name = o }\n"
            "Console { source_table_name = a, result_table_name = o }",
        ),
        "sink 1 (Console) and sink 2 (Console) have the same result_table_name o",
    ),
    "no names where they are needed": (
        job("FakeSource {}, FakeSource { result_table_name = b }", sink="Console { source_table_name = b }"),
        "source 1 (FakeSource) needs a result_table_name",
    ),
    "a sink without an input": (
        job("FakeSource { result_table_name = a }, FakeSource { result_table_name = b }", sink="Console {}"),
        "sink 1 (Console) needs a source_table_name",
    ),
    "a circle": (
        job(
            "FakeSource { result_table_name = s }",
            "Sql { source_table_name = [s, c], result_table_name = b, query = q }\n"
            "Sql { source_table_name = b, result_table_name = c, query = q }",
            "Console { source_table_name = c }",
        ),
        "transform 1 (Sql) feeds itself: b <- c <- b",
    ),
    "a file out of reach": (
        job("LocalFile { path = /etc, file_format_type = json, schema { fields { a = int } } }"),
        "path /etc is outside of the workspace",
    ),
    "a file out of reach on a way": (job(sink="LocalFile { path = a/../../x }"), "path a/../../x is outside"),
    "a file out of reach by its address": (
        job(sink='LocalFile { path = "file:/etc/x" }'),
        "path file:/etc/x is outside",
    ),
    "a temporary folder out of reach": (job(sink="LocalFile { path = a, tmp_path = /x }"), "tmp_path /x is outside"),
    "a table's file out of reach": (
        job("LocalFile { tables_configs = [{ path = /etc, file_format_type = json }] , file_format_type = orc }"),
        "path /etc is outside",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_job_has_no_fault(home: Path, name: str) -> None:
    assert look(home, GOOD[name]).faults == []


@pytest.mark.parametrize("name", WRONG)
def test_a_fault_names_the_plugin_and_the_fix(home: Path, name: str) -> None:
    text, expected = WRONG[name]
    faults = look(home, text).faults
    assert any(expected in fault for fault in faults), faults
    assert not any("hunter2" in fault for fault in faults)


def test_files_in_an_allowed_folder_are_reached(home: Path) -> None:
    assert look(home, job(sink=f'LocalFile {{ path = "{home / "shared" / "x"}" }}')).faults == []


def test_a_link_out_of_the_workspace_is_no_way_out(home: Path) -> None:
    (home / "workspace").mkdir()
    (home / "workspace" / "away").symlink_to("/etc")
    assert "outside" in look(home, job(sink="LocalFile { path = away/x }")).faults[0]


def test_a_plugin_that_is_at_fault_twice_is_told_twice(home: Path) -> None:
    faults = look(home, job("Jdbc { fetch_size = x }", sink="Nope {}")).faults
    assert len(faults) == 4 and len({fault.split(":")[0] for fault in faults}) == 2


def doubts(home: Path, text: str) -> list[str]:
    found = look(home, text)
    assert found.faults == []
    return found.doubts


def test_an_unknown_option_is_doubted_not_refused(home: Path) -> None:
    assert doubts(home, job("FakeSource { row_num = 5 }")) == [
        "source 1 (FakeSource): the option row_num is not known (did you mean row.num or rows?)"
    ]


def test_names_that_do_not_meet_are_told_where_they_do_not_matter(home: Path) -> None:
    (doubt,) = doubts(home, job("FakeSource { result_table_name = a }", sink="Console { source_table_name = b }"))
    assert "sink 1 (Console) reads b, which nobody gives" in doubt


def test_a_source_that_is_read_twice_is_told(home: Path) -> None:
    text = job(
        "FakeSource { result_table_name = a }, FakeSource { result_table_name = b }",
        sink="Console { source_table_name = [a, b] }\nConsole { source_table_name = a }",
    )
    (doubt,) = doubts(home, text)
    assert "source 1 (FakeSource) is read once for each" in doubt


def test_a_section_of_another_name_is_told(home: Path) -> None:
    assert doubts(home, job() + "sinks = [{ plugin_name = Console }]") == ["the section sinks means nothing here"]


def test_whether_it_is_a_stream() -> None:
    def config(env: str) -> dict[str, Any]:
        return check.normal(hocon.parse(job(env=env), {}))

    assert check.is_stream(config("job.mode = streaming")) and not check.is_stream(config("job.mode = BATCH"))
    assert not check.is_stream(config(""))


def plain(home: Path, **sections: Any) -> list[str]:
    """The faults of a job that came as JSON."""
    config = {
        "env": {"job.mode": "BATCH"}, "source": [{"plugin_name": "FakeSource"}], "sink": [{"plugin_name": "Console"}]
    } | sections  # fmt: skip
    (home / "workspace").mkdir(exist_ok=True)
    return check.look(
        check.normal(config), ClassPath(home, "2.3.8", KNOWN), Reach(home / "workspace", "")
    ).faults  # fmt: skip


@pytest.mark.parametrize("key", [" plugin_name", "plugin_name ", '"plugin_name"', "plugin\tname", "a\\b"])
def test_a_key_that_seatunnel_reads_as_another_is_refused(home: Path, key: str) -> None:
    sql = {"plugin_name": "Sql", "query": "select 1", key: "DynamicCompile"}
    assert any("blanks or quotes" in fault for fault in plain(home, transform=[sql]))
    assert any("blanks or quotes" in fault for fault in plain(home, sink=[{"plugin_name": "Console", "x": [{key: 1}]}]))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": "FILE:/etc"}, "outside"), ({"path": "File:///etc"}, "outside"), ({"path": " /etc"}, "outside"),
        ({"path": "hdfs://h/x"}, "outside"), ({"path": "ok", "tmp_path": "fIle:/x"}, "outside"),
        ({"tables_configs": '[{"path": "/etc"}]'}, "list of objects"),
        ({"tables_configs": {"0": {"path": "/etc"}}}, "list of objects"),
        ({"tables_configs": [{"path": "x", "file_name_expression": "../x"}]}, "file_name_expression"),
        ({"path": "ok", "file_name_expression": "../../x"}, "file_name_expression"),
        ({"path": "ok", "have_partition": "true"}, "have_partition"),
    ],
)  # fmt: skip
def test_files_outside_by_another_name_are_refused(home: Path, options: dict[str, Any], why: str) -> None:
    for section in ("source", "sink"):
        plugin = {"plugin_name": "LocalFile", "file_format_type": "json", **options}
        assert any(why in fault for fault in plain(home, **{section: [plugin]}))


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:mysql://h/d?allowLoadLocalInfile=true", "jdbc:mysql://h/d?useSSL=false&AllowUrlInLocalInfile=true",
        "jdbc:mysql://address=(host=h)(allowLoadLocalInfile=true)/d", "jdbc:mysql://(host=h,autoDeserialize=true)/d",
        "JDBC:mysql://h/d?queryInterceptors=x", "jdbc:h2:/etc/x;INIT=RUNSCRIPT", "jdbc:sqlite:/etc/x",
        "jdbc:mysql://h/d?useSSL=false&a%6cl=1", "jdbc:mysql:///d", " jdbc:mysql://h/d",
    ],
)  # fmt: skip
def test_a_database_that_opens_a_door_is_refused(home: Path, url: str) -> None:
    plugin = {"plugin_name": "Jdbc", "url": url, "driver": "com.mysql.cj.jdbc.Driver", "query": "select 1"}
    assert any(fault.startswith("source 1 (Jdbc): url") for fault in plain(home, source=[plugin])), url


@pytest.mark.parametrize(
    "options",
    [
        {"properties": {"allowLoadLocalInfile": "true"}}, {"properties": "allowLoadLocalInfile=true"},
        {"debezium": {"database.history.file.filename": "/etc/x"}}, {"debezium": {"database": {"history": "x"}}},
        {"xa_data_source_class_name": "java.net.URLClassLoader"},
        {"kafka.config": {"sasl.jaas.config": "com.sun.security.auth.module.JndiLoginModule required x=y;"}},
        {"kafka.config": {"interceptor.classes": "x"}},
    ],
)  # fmt: skip
def test_options_that_load_files_or_classes_are_refused(home: Path, options: dict[str, Any]) -> None:
    good = {"plugin_name": "Jdbc", "url": "jdbc:mysql://u:p@h:3306/d?useSSL=false&serverTimezone=UTC",
            "driver": "com.mysql.cj.jdbc.Driver", "query": "select 1"}  # fmt: skip
    assert plain(home, source=[good]) == []
    assert plain(home, source=[good | options]) != []
    assert any("env: jars" in fault for fault in plain(home, env={"job.mode": "BATCH", "jars": "file:///x.jar"}))
