"""How a job on Flink bears what goes wrong: restarts, and slots that do not come. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from commons.process.errors import Invalid
from protocol import codes

RESTART, ATTEMPTS, SLOTS_WAIT = "flink.restart", "flink.restart.attempts", "flink.slots.wait.seconds"
NEVER, ON_FAILURE, ALWAYS = "never", "on-failure", "always"
CHECKPOINTS = "execution.checkpointing.interval"
DEFAULT_ATTEMPTS, MOST_ATTEMPTS = 10, 1_000_000
DEFAULT_WAIT_SECONDS, MOST_WAIT_SECONDS = 60.0, 600.0
_FLINK_KEY = "_FLINK_CONFIG_."
_OURS = ("flink.", "headgate.resume")
_FIELD = "params.configuration.runtime."
_DELAYS = {
    "restart-strategy.exponential-delay.initial-backoff": "1 s",
    "restart-strategy.exponential-delay.max-backoff": "1 min",
    "restart-strategy.exponential-delay.backoff-multiplier": "2.0",
    "restart-strategy.exponential-delay.reset-backoff-threshold": "10 min",
}
_STRATEGY = ("restart-strategy.type", "restart-strategy")
"""As it is called, and was before 1.19."""
_WITHOUT_LIMIT = ("1.17", "1.18")
"""Whose growing pauses have no limit of tries: there a failure rate stands in, with one pause."""
_RATE = {
    "restart-strategy.failure-rate.failure-rate-interval": "10 min",
    "restart-strategy.failure-rate.delay": "5 s",
}
_UNLIMITED = 2**31 - 1


def settings(runtime: Mapping[str, str], own: Mapping[str, str] | None = None, version: str = "") -> dict[str, str]:
    """A Flink's settings of a job: of its runtime configuration, `own` ones above them, and of its restart policy.

    What is said in Flink's own words goes before the policy. Raises Invalid.
    """
    given = {_plain(key): value for key, value in runtime.items() if not key.startswith(_OURS)}
    given |= own or {}
    own_words = any(key in given for key in _STRATEGY)
    return {**({} if own_words else restarts(runtime, version, checkpoints=CHECKPOINTS in given)), **given}


def restarts(runtime: Mapping[str, str], version: str, *, checkpoints: bool) -> dict[str, str]:
    """A Flink's settings of a restart policy. Raises Invalid.

    Nothing said: jobs whose settings turn checkpoints on begin again from the newest one when they fail, with growing
    pauses and a limit; others as Flink does it.
    """
    policy = runtime.get(RESTART, "").strip().lower() or (ON_FAILURE if checkpoints else "")
    if policy not in ("", NEVER, ON_FAILURE, ALWAYS):
        what = f"must be {NEVER}, {ON_FAILURE} or {ALWAYS}; it is {policy[:40]!r}"
        raise Invalid(codes.FIELD_INVALID, f"{_FIELD}{RESTART} {what}", field=f"{_FIELD}{RESTART}")
    attempts = int(_number(runtime, ATTEMPTS, DEFAULT_ATTEMPTS, 1, MOST_ATTEMPTS))
    if not policy:
        return {}
    if policy == NEVER:
        return _strategy("none")
    if policy == ON_FAILURE and version.startswith(_WITHOUT_LIMIT):
        return _strategy(
            "failure-rate", {**_RATE, "restart-strategy.failure-rate.max-failures-per-interval": f"{attempts}"}
        )
    limit = _UNLIMITED if policy == ALWAYS else attempts
    tries = {"restart-strategy.exponential-delay.attempts-before-reset-backoff": str(limit)}
    return _strategy("exponential-delay", {**_DELAYS, **tries})


def _strategy(name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**dict.fromkeys(_STRATEGY, name), **(more or {})}


def resumptions(runtime: Mapping[str, str]) -> int:
    """How often a job goes on from its newest checkpoint after the job manager was lost. Raises Invalid."""
    policy = runtime.get(RESTART, "").strip().lower()
    if policy in (NEVER, ALWAYS):
        return 0 if policy == NEVER else _UNLIMITED
    return int(_number(runtime, ATTEMPTS, DEFAULT_ATTEMPTS, 1, MOST_ATTEMPTS))


def from_the_beginning(runtime: Mapping[str, str]) -> bool:
    """Whether a job without a checkpoint may begin again instead: only when it is told to go on always."""
    return runtime.get(RESTART, "").strip().lower() == ALWAYS


def slots_wait_seconds(runtime: Mapping[str, str]) -> float:
    """How long a job waits for slots before it fails. Raises Invalid."""
    return _number(runtime, SLOTS_WAIT, DEFAULT_WAIT_SECONDS, 1, MOST_WAIT_SECONDS)


def check(runtime: Mapping[str, str]) -> None:
    """Raises Invalid when something of this cannot be."""
    restarts(runtime, "", checkpoints=False)
    slots_wait_seconds(runtime)


def _plain(key: str) -> str:
    """A key as Flink has it; Linkis' clients write its settings with a prefix."""
    return key.removeprefix(_FLINK_KEY)


def _number(runtime: Mapping[str, str], key: str, default: float, least: int, most: float) -> float:
    text = runtime.get(key, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        what = f"{_FIELD}{key} must be a whole number from {least} to {most:g}; it is {text[:40]!r}"
        raise Invalid(codes.FIELD_INVALID, what, field=f"{_FIELD}{key}")
    return int(text)
