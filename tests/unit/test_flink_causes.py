"""Root causes, from what Flink's REST answers."""

from __future__ import annotations

import pytest

from services.engineconn.flink.causes import root_cause

THROWS = """org.apache.flink.runtime.rest.handler.RestHandlerException: Could not execute application.
\tat org.apache.flink.runtime.webmonitor.handlers.JarRunHandler.lambda$handleRequest$1(JarRunHandler.java:114)
Caused by: java.util.concurrent.CompletionException: org.apache.flink.util.FlinkRuntimeException: Could not execute
\t... 2 more
Caused by: org.apache.flink.client.program.ProgramInvocationException: The main method caused an error: cannot begin
\t... 4 more
Caused by: java.lang.IllegalStateException: no db: alice
\t... 13 more
"""
NO_CLASS = """Internal server error.
<Exception on server side:
java.util.concurrent.CompletionException: org.apache.flink.client.program.ProgramInvocationException: The program's \
entry point class 'no.Such' was not found in the jar file.
Caused by: java.lang.ClassNotFoundException: no.Such
\t... 54 more

End of exception on server side>"""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (THROWS, "IllegalStateException: no db: alice"),
        (NO_CLASS, "there is no class no.Such in the jar; entryClass must name the one with the main method"),
        ("a.RestHandlerException: No jobs included in application.\n\tat a.B.c(B.java:1)",
         "its main method ended without a job: call execute() on the environment"),
        ("a.ProgramInvocationException: No manifest found in jar file '/tmp/x'",
         "the jar names no main class in its manifest; give entryClass"),
        ("java.lang.ArithmeticException\n\tat a.B.c(B.java:1)", "ArithmeticException"),
        ("java.lang.RuntimeException: why\nCaused by: java.lang.NullPointerException\n\tat a.B.c(B.java:1)",
         "RuntimeException: why"),
        ("Job 0 not found", "Job 0 not found"),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_the_deepest_cause_that_says_something(text: str, cause: str) -> None:
    assert root_cause(text) == cause
