"""What each Unicode character is, as bits in a table that kernels look up.

The bits follow Python's own ``str`` methods, so that a kernel over UTF-8 bytes and a one-line
reference in Python agree on every character, lone surrogates included.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import numpy as np

START = 1
"""The byte begins a character (every byte of ASCII; the lead byte of a longer sequence)."""
SPACE = 2
"""``str.isspace``: what ``str.split()`` splits on and ``\\s`` matches."""
ALPHA = 4
"""``str.isalpha``."""
ALNUM = 8
"""``str.isalnum``."""
WORD = 16
"""``\\w``: alphanumeric or the underscore."""


@functools.cache
def class_table() -> np.ndarray:
    """The bits of every code point, uint8 [1114112]; about 0.2 s, once per process."""
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    table = np.full(len(everything), START, np.uint8)
    tests: list[tuple[int, Callable[[str], bool]]] = [
        (SPACE, str.isspace),
        (ALPHA, str.isalpha),
        (ALNUM | WORD, str.isalnum),
    ]
    for bit, test in tests:
        table[np.fromiter(map(test, everything), bool, len(everything))] |= bit
    table[ord("_")] |= WORD
    return table
