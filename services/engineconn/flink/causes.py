"""What is at the root of a Java stack, in one line that users can read. Pure."""

from __future__ import annotations

import re

LONGEST = 900
_EXCEPTION = re.compile(r"^(?:Caused by: |<Exception on server side:)?((?:[\w$]+\.)+)([\w$]+)(?:: (.*))?$")
_NO_JOB = ("No jobs included in application", "didn't contain a Flink job")
_NO_CLASS = re.compile(r"entry point class '([^']*)' was not found")
_NO_MANIFEST = re.compile(r"No manifest found in jar|Neither a 'Main-Class', nor a 'program-class'")
_NO_SLOTS = "NoResourceAvailableException"


def root_cause(text: str) -> str:
    """The deepest cause, without its package; the words of ours for what users meet most."""
    if any(one in text for one in _NO_JOB):
        return "its main method ended without a job: call execute() on the environment"
    if missing := _NO_CLASS.search(text):
        return f"there is no class {missing[1]} in the jar; entryClass must name the one with the main method"
    if _NO_MANIFEST.search(text):
        return "the jar names no main class in its manifest; give entryClass"
    causes = [found for line in text.splitlines() if (found := _EXCEPTION.match(line.strip()))]
    if not causes:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("\tat")]
        return (lines[-1] if lines else "no reason given")[:LONGEST]
    told = [cause for cause in causes if cause[3]] or causes
    last = told[-1]
    return f"{last[2]}: {last[3]}"[:LONGEST] if last[3] else last[2]
