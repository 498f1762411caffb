"""Lines of a file that only grows, read from any line on; what is before it is read through once at most."""

from __future__ import annotations

import math
import threading
from bisect import bisect
from collections.abc import Callable
from typing import BinaryIO

CHUNK_BYTES = 1 << 16
LARGEST_READ = 8 << 20


class Lines:
    """One file, opened anew for each read; any number of threads may read it at once."""

    def __init__(self, opened: Callable[[], BinaryIO]) -> None:
        self._opened = opened
        self._marks = [(0, 0)]
        """A line's number and the byte it begins at, for one line in about every chunk."""
        self._marking = threading.Lock()

    def read(self, from_line: int, max_lines: int) -> list[str]:
        """Lines from `from_line` (0 is the first), at most `max_lines` and some MiB; only whole lines.

        Raises FileNotFoundError.
        """
        number, offset = self._marks[bisect(self._marks, (from_line, math.inf)) - 1]
        lines: list[bytes] = []
        rest, size = b"", 0
        with self._opened() as file:
            file.seek(offset)
            while len(lines) < max_lines and size < LARGEST_READ and (chunk := file.read(CHUNK_BYTES)):
                *whole, rest = (rest + chunk).split(b"\n")
                lines += whole[max(0, from_line - number) :]
                size += len(chunk) if lines else 0
                number += len(whole)
                self._mark(number, file.tell() - len(rest))
        return [line.decode("utf-8", "replace") for line in lines[:max_lines]]

    def _mark(self, number: int, offset: int) -> None:
        with self._marking:
            if offset - self._marks[-1][1] >= CHUNK_BYTES // 2:
                self._marks.append((number, offset))
