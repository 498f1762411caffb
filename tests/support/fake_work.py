"""The fake engine's processes: `engine` opens and stays, `task` works through a task's code.

What they do is told one instruction a line; what they have to say goes to stdout as lines of JSON. They import nothing
but the standard library, so that they start at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time


def main() -> None:
    role, engine_pid, connection_pid, code = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    if role == "engine":
        for line in code.splitlines():
            perform(line, os.getpid(), connection_pid)
        say("ready")
        sys.stdin.read()  # ends with its connection
        return
    statements = split(code)
    for number, statement in enumerate(statements):
        say("statement", number, len(statements), statement)
        for line in statement.splitlines():
            perform(line, engine_pid, connection_pid)
        say("done", number)


def split(code: str) -> list[str]:
    """Statements are parted by lines that say `statement`."""
    parts: list[list[str]] = [[]]
    for line in code.splitlines():
        if line.strip() == "statement":
            parts.append([])
        elif line.strip():
            parts[-1].append(line.strip())
    return ["\n".join(part) for part in parts if part]


def perform(line: str, engine_pid: int, connection_pid: int) -> None:
    """One instruction. Raises ValueError for one that there is not, so that a typing error is seen."""
    name, _, rest = line.strip().partition(" ")
    match name:
        case "log":
            say("log", *rest.split(" ", 1))
        case "chat":
            for number in range(int(rest)):
                say("log", "INFO", f"chat {number}")
        case "rows":
            say("rows", int(rest))
        case "empty":
            say("rows", 0)
        case "progress":
            say("progress", float(rest))
        case "sleep" | "silent":
            time.sleep(float(rest))
        case "fail":
            say("failed", rest)
            sys.exit(1)
        case "exit":
            sys.exit(int(rest))
        case "die":
            os.kill(engine_pid, signal.SIGKILL)
            time.sleep(600)  # what the engine was doing is not finished by its death
        case "crash":
            os.kill(connection_pid, signal.SIGKILL)
            time.sleep(600)
        case "ignore-term":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        case "child":
            # its output goes nowhere: it must be found as a process, not by a pipe it holds
            subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case _:
            raise ValueError(f"the fake engine knows no {name!r}")


def say(what: str, *more: object) -> None:
    print(json.dumps([what, *more]), flush=True)


if __name__ == "__main__":
    main()
