"""`make demo`: a service of its own on a free port, one script through it, everything stopped again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped then too
    with tempfile.TemporaryDirectory(prefix="headgate-") as home:
        environment = _environment(home)
        print("Starting Headgate …", flush=True)
        service = subprocess.Popen(
            [sys.executable, "-P", "-m", "services", "--stop-engines", "--log-level", "WARNING"],
            env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            return _run(service, environment)
        except KeyboardInterrupt:
            return 130
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)
            print("Stopped everything.", flush=True)


def _environment(home: str) -> dict[str, str]:
    """Nothing of the user's own installation is touched; only engine files are shared with it."""
    shared = ("HEADGATE_ENGINES_HOME", "HEADGATE_FLINK_HOME", "HEADGATE_JAVA_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_") or name in shared}
    return kept | {"HEADGATE_HOME": home, "HEADGATE_PORT": "0", "XDG_CONFIG_HOME": home}


def _run(service: subprocess.Popen[str], environment: dict[str, str]) -> int:
    assert service.stdout is not None
    first = service.stdout.readline()
    if not re.match(r"Headgate is ready: http", first):
        print(f"demo: the service did not start: {first.strip() or 'see above'}", file=sys.stderr)
        return 1
    print(first.strip(), flush=True)
    script = str(HERE / "orders.sql")
    print(f"$ headgate run {script}", flush=True)
    return subprocess.run([sys.executable, "-P", "-m", "headgate", "run", script], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
