"""Texts in SeaTunnel's HOCON and what SeaTunnel's own parser makes of them; the real one is asked as well."""

from __future__ import annotations

from typing import Any

TAIL = "\nsource { S {} }\nsink { K {} }\n"
"""The parser wants both sections; a text that has them not gets these."""

_S: dict[str, Any] = {"source": [{"plugin_name": "S"}], "sink": [{"plugin_name": "K"}]}

BATCH = """\
env {
  # how it runs
  job.mode = "BATCH"
  parallelism = 1 // one reader
  checkpoint.interval = 2000
}
source {
  FakeSource {
    result_table_name = "a"
    row.num = 5
    schema = { fields { id = "bigint", name = string } }
  }
  FakeSource { result_table_name = "b" }
}
transform {
  Sql { source_table_name = "a", result_table_name = "c", query = "select id, name from a where id > 1" }
}
sink {
  Console { source_table_name = ["b", "c"] }
}
"""
BATCH_JSON: dict[str, Any] = {
    "env": {"job.mode": "BATCH", "parallelism": 1, "checkpoint.interval": 2000},
    "source": [
        {
            "plugin_name": "FakeSource",
            "result_table_name": "a",
            "row.num": 5,
            "schema": {"fields": {"id": "bigint", "name": "string"}},
        },
        {"plugin_name": "FakeSource", "result_table_name": "b"},
    ],
    "transform": [
        {
            "plugin_name": "Sql",
            "source_table_name": "a",
            "result_table_name": "c",
            "query": "select id, name from a where id > 1",
        }
    ],
    "sink": [{"plugin_name": "Console", "source_table_name": ["b", "c"]}],
}

CORPUS: dict[str, tuple[str, dict[str, Any]]] = {
    "a whole job": (BATCH, BATCH_JSON),
    "dots in keys are characters": (
        'env { job.mode = "BATCH", checkpoint.interval=2\n a."b.c".d = 1\n a b = 3\n 1.5 = 4 }',
        {"env": {"job.mode": "BATCH", "checkpoint.interval": 2, "a.b.c.d": 1, "a b": 3, "1.5": 4}, **_S},
    ),
    "arrows lead into objects": (
        "a->b = 1\na { c.d = 2 }\ne = ${a->c.d}\nf = x->y\n",
        {"a": {"b": 1, "c.d": 2}, "e": 2, "f": "x->y", **_S},
    ),
    "plug-ins of one name": (
        "source { A { b = 1 }\n A { c = 2 } }\nsink { B {}, B { x = 1 } }",
        {
            "source": [{"plugin_name": "A", "b": 1}, {"plugin_name": "A", "c": 2}],
            "sink": [{"plugin_name": "B"}, {"plugin_name": "B", "x": 1}],
        },
    ),
    "a section written twice": (
        "source { A {} }\nsource { B { b = 2 } }\nsink { K {} }",
        {"source": [{"plugin_name": "B", "b": 2}], "sink": [{"plugin_name": "K"}]},
    ),
    "plug-in names in every way": (
        'source { A->b = 1, "A.x" { c = 1 }, A.y { d.e = 1 }, "My Plugin" : { f = 1 } }\nsink : { K {} }',
        {
            "source": [
                {"plugin_name": "A", "b": 1},
                {"plugin_name": "A.x", "c": 1},
                {"plugin_name": "A.y", "d.e": 1},
                {"plugin_name": "My Plugin", "f": 1},
            ],
            "sink": [{"plugin_name": "K"}],
        },
    ),
    "a plug-in that is named in its options": (
        "source { A { plugin_name = Z } }\nsink { K {} }",
        {"source": [{"plugin_name": "Z"}], "sink": [{"plugin_name": "K"}]},
    ),
    "a plug-in from elsewhere": (
        "q { z = 1 }\nsource { A = ${q} }\nsink { K {} }",
        {"q": {"z": 1}, "source": [{"plugin_name": "A", "z": 1}], "sink": [{"plugin_name": "K"}]},
    ),
    "braces around all": (
        "{ source { S { b = 1 } }, sink { K {} }, transform {} }",
        {"source": [{"plugin_name": "S", "b": 1}], "sink": [{"plugin_name": "K"}], "transform": []},
    ),
    "options in objects and lists": (
        'source { A { x = ["a", {y = 1, p.q = 2}], t { a.b = 2 }, l = [1, 2\n 3\n], e = [],'
        ' v = [true, null, "${city}"] } }\nsink { K {} }',
        {
            "source": [
                {
                    "plugin_name": "A",
                    "x": ["a", {"y": 1, "p.q": 2}],
                    "t": {"a.b": 2},
                    "l": [1, 2, 3],
                    "e": [],
                    "v": [True, None, "Bei"],
                }
            ],
            "sink": [{"plugin_name": "K"}],
        },
    ),
    "texts": (
        'a = x y\nb = """q\n"in" z"""\nc = "#"\nd = x/y\ne = a-b_c\nf = "\\u0041\\n\\t"\ng = 1 2\nh = /tmp/x\n',
        {
            "a": "x y",
            "b": 'q\n"in" z',
            "c": "#",
            "d": "x/y",
            "e": "a-b_c",
            "f": "A\n\t",
            "g": "1 2",
            "h": "/tmp/x",
            **_S,
        },
    ),
    "values": (
        "a = 1\nb = 1.5\nc = true\nd = null\ne = yes\nf = 10s\ng = -1\nh = 1e3\n",
        {"a": 1, "b": 1.5, "c": True, "d": None, "e": "yes", "f": "10s", "g": -1, "h": 1000, **_S},
    ),
    "comments": (
        "a = 5 # x = 1\nb = 6 // y { \n# c = 1\nd = x // e\n",
        {"a": 5, "b": 6, "d": "x", **_S},
    ),
    "objects that are merged": (
        "a { b = 1, c { d = 1 } }\na { c { e = 2 } }\na = ${a} { f = 3 }\n",
        {"a": {"b": 1, "c": {"d": 1, "e": 2}, "f": 3}, **_S},
    ),
    "lists that grow": (
        "o { a = [1]\na += 2\nb = [1] [2]\nc = ${o->b} [3] }\n",
        {"o": {"a": [1, 2], "b": [1, 2], "c": [1, 2, 3]}, **_S},
    ),
    "references": (
        's = 5\na.x = 7\nsource { A { x = ${s}, s = 9, y = "p"${a.x}q, z = ${?none}, w = ${?none}d } }\nsink { K {} }',
        {
            "s": 5,
            "a.x": 7,
            "source": [{"plugin_name": "A", "x": 5, "s": 9, "y": "p7q", "w": "d"}],
            "sink": [{"plugin_name": "K"}],
        },
    ),
    "variables": (
        'source { A { a = "x ${city} y", b = ${city}, c = pre${city}, d = ${num}, e = "${num}" } }\nsink { K {} }',
        {
            "source": [{"plugin_name": "A", "a": "x Bei y", "b": "Bei", "c": "preBei", "d": "5", "e": "5"}],
            "sink": [{"plugin_name": "K"}],
        },
    ),
    "placeholders": (
        'env { x = "${city}" }\nsource { A { a = "${nope}", b = "${nope:dd}", c = "${city:def}", d = "${nope:}",'
        ' e = "m_${table_name}"\n'
        'f = "${n.m} ${ city } $city $${city} ${nope:5}"\ng = """q ${city}""" } }\nsink { K {} }',
        {
            "env": {"x": "Bei"},
            "source": [
                {
                    "plugin_name": "A",
                    "a": "${nope}",
                    "b": "dd",
                    "c": "Bei",
                    "d": "",
                    "e": "m_${table_name}",
                    "f": "dots ${ city } $city $Bei 5",
                    "g": "q Bei",
                }
            ],
            "sink": [{"plugin_name": "K"}],
        },
    ),
    "sections within options": (
        "source { A { b { source { Z { z = 1 } } } } }\nsink { K {} }",
        {
            "source": [{"plugin_name": "A", "b": {"source": [{"plugin_name": "Z", "z": 1}]}}],
            "sink": [{"plugin_name": "K"}],
        },
    ),
}
VARIABLES = {"city": "Bei", "num": "5", "n.m": "dots"}

WRONG: dict[str, tuple[str, int, int, str]] = {
    "no comma between fields": ('env { job.mode = "BATCH" checkpoint.interval=2 }', 1, 45, "comma"),
    "an address without quotes": ("env {\n  url = jdbc:mysql://x\n}", 2, 13, "quoted"),
    "an object without an end": ("env {\n  a.b.c = 1\n", 3, 1, "expected }"),
    "a text without an end": ('env {\n  a.b = "x\n}', 2, 9, "unterminated"),
    "a bracket too much": ("env { a.b = 1 }\n}", 2, 1, "}"),
    "a list without an end": ("env { a.b = [1, 2\n}", 2, 1, "expected"),
    "an unknown variable": ("env { a.b.c = 1, d = ${who} }", 1, 22, "${who} has no value"),
    "another file": ('env { include "other.conf" }', 1, 7, "include is not available"),
    "another file by its address": ('include url("file:///etc/passwd")\n', 1, 1, "include is not available"),
    "a key without a value": ("env { job.mode }", 1, 16, "expected"),
    "a character that must be quoted": ("env { a.b.c = x @ y }", 1, 17, "@"),
    "a value in an object's place": ('env { a = "x" { b = 1 } }', 1, 11, "concatenate"),
}
"""Texts that cannot be read: line, column, and a word of the reason."""
