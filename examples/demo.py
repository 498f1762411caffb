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
    with tempfile.TemporaryDirectory(prefix="headgate-") as home:
        environment = {**os.environ, "HEADGATE_HOME": home, "HEADGATE_PORT": "0", "HEADGATE_HOST": "127.0.0.1"}
        environment.setdefault("HEADGATE_ENGINES_HOME", str(Path("~/.headgate/engines").expanduser()))
        for name in ("HEADGATE_URL", "HEADGATE_USER", "HEADGATE_TOKEN", "HEADGATE_STORAGE", "HEADGATE_DATABASE"):
            environment.pop(name, None)
        environment["XDG_CONFIG_HOME"] = home
        print("Starting Headgate …", flush=True)
        service = subprocess.Popen(
            [sys.executable, "-P", "-m", "services", "--stop-engines", "--log-level", "WARNING"],
            env=environment, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            return _run(service, environment)
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)
            print("Stopped everything.", flush=True)


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
