"""A kernel that finds what the regular expression ``(.+?)(\\s?\\1){3,}`` finds, in linear time.

A unit of one line that follows itself at least three more times, each time with at most one
white-space character before it; leftmost first, then shortest unit, then as many as there are.
Units of 8 to 63 bytes are only tried where their first 8 bytes come back, which a chain from each
place to the next with an equal hash tells; units of 64 to 511 where their first 64 do, and so on.
Where g bytes came back more often than every g / 3 bytes they would be a repeat themselves, so a
chain is followed for a few steps at most.
"""

from __future__ import annotations

import numpy as np

from olmeda.data.classes import SPACE, START
from olmeda.data.kernels.compiled import compiled
from olmeda.data.kernels.segment import NEWLINE
from olmeda.data.kernels.table import mix, table_size

GRAM = 8
NONE = -1
COPIES = 3
"""A unit is repeated where it follows itself this many times."""
WIDEST_SPACE = 3
"""The most bytes of a white-space character."""


@compiled
def chain_grams(utf8: np.ndarray, offsets: np.ndarray, longest: int) -> np.ndarray:
    """Where the gram at each byte comes back in its text, int32 [levels, N]; -1 for nowhere.

    Level 0 has grams of 8 bytes, each further one of 8 times as many, up to the ``longest`` line.
    """
    levels, gram = 1, GRAM
    while gram * GRAM <= longest:
        levels, gram = levels + 1, gram * GRAM
    following = np.full((levels, utf8.size), NONE, np.int32)
    most = 0
    for doc in range(offsets.size - 1):
        most = max(most, offsets[doc + 1] - offsets[doc])
    heads = np.empty(table_size(most), np.int64)
    gram = GRAM
    for level in range(levels):
        # from the last text to the first, so that entries at or beyond a text's end are stale
        heads[:] = utf8.size
        for doc in range(offsets.size - 2, -1, -1):
            chain_level(utf8, offsets[doc], offsets[doc + 1], gram, heads, following[level])
        gram *= GRAM
    return following


@compiled
def chain_level(
    utf8: np.ndarray, low: int, high: int, gram: int, heads: np.ndarray, following: np.ndarray
) -> None:
    """Chain the grams of one text that lie within a line, by a hash that rolls backwards."""
    mask = table_size(high - low) - 1
    base, power = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
    for _ in range(gram - 1):
        power *= base
    rolling = np.uint64(0)
    line_end = high
    for at in range(high - 1, low - 1, -1):
        if at + gram < high:
            rolling -= np.uint64(utf8[at + gram]) * power
        rolling = rolling * base + np.uint64(utf8[at])
        if utf8[at] == NEWLINE:
            line_end = at
        if at + gram > line_end:
            continue
        slot = np.int64(mix(rolling)) & mask
        if heads[slot] < high:
            following[at] = heads[slot]
        heads[slot] = at


@compiled
def space_at(classes: np.ndarray, at: int, high: int) -> int:
    """The bytes of the white-space character at ``at``, or 0 if there is none."""
    if at >= high or not classes[at] & SPACE:
        return 0
    width = 1
    while at + width < high and not classes[at + width] & START:
        width += 1
    return width


@compiled
def is_copy(utf8: np.ndarray, unit: int, length: int, at: int, high: int) -> bool:
    """Whether the unit of ``length`` bytes stands at ``at`` again, before ``high``."""
    if at + length > high:
        return False
    for index in range(length):  # noqa: SIM110 (numba has no generators here)
        if utf8[unit + index] != utf8[at + index]:
            return False
    return True


@compiled
def next_copy(
    utf8: np.ndarray, classes: np.ndarray, unit: int, length: int, at: int, high: int, spaced: bool
) -> int:
    """The byte after the copy that begins at ``at``, white space first if ``spaced``, or -1."""
    skip = 0
    if spaced:
        skip = space_at(classes, at, high)
        if skip == 0:
            return NONE
    if is_copy(utf8, unit, length, at + skip, high):
        return at + skip + length
    return NONE


@compiled
def end_of_copies(
    utf8: np.ndarray, classes: np.ndarray, unit: int, length: int, high: int
) -> tuple[int, int]:
    """``(byte after the last copy, copies)``, or -1 for fewer than three after the unit.

    The first three are found with backtracking, white space tried first; the rest greedily.
    """
    at = unit + length
    if not is_copy(utf8, unit, length, at, high):
        skip = space_at(classes, at, high)
        if skip == 0 or not is_copy(utf8, unit, length, at + skip, high):
            return NONE, 0
    for way in range(1 << COPIES):
        at = unit + length
        for index in range(COPIES):
            spaced = (way >> (COPIES - 1 - index)) & 1 == 0
            at = next_copy(utf8, classes, unit, length, at, high, spaced)
            if at == NONE:
                break
        if at == NONE:
            continue
        copies = 1 + COPIES
        while True:
            further = next_copy(utf8, classes, unit, length, at, high, True)
            if further == NONE:
                further = next_copy(utf8, classes, unit, length, at, high, False)
            if further == NONE:
                return at, copies
            at = further
            copies += 1
    return NONE, 0


@compiled
def shortest_unit(
    utf8: np.ndarray,
    classes: np.ndarray,
    following: np.ndarray,
    unit: int,
    line_end: int,
    high: int,
) -> tuple[int, int, int]:
    """``(length of the shortest repeated unit at ``unit``, end, copies)``, or length 0."""
    most = min(line_end - unit, (high - unit) // (1 + COPIES))
    length = 1
    while length < GRAM and length <= most:
        at = unit + length
        if classes[at] & START and (utf8[at] == utf8[unit] or classes[at] & SPACE):
            end, copies = end_of_copies(utf8, classes, unit, length, high)
            if end != NONE:
                return length, end, copies
        length += 1
    gram = GRAM
    for level in range(following.shape[0]):
        beyond = min(gram * GRAM - 1, most)
        place = int(following[level, unit])
        while place != NONE and place - unit <= beyond + WIDEST_SPACE:
            before = place - 1
            while not classes[before] & START:
                before -= 1
            spaced = before if classes[before] & SPACE else place
            for length in (spaced - unit, place - unit):
                if gram <= length <= beyond:
                    end, copies = end_of_copies(utf8, classes, unit, length, high)
                    if end != NONE:
                        return length, end, copies
            place = int(following[level, place])
        gram *= GRAM
    return 0, 0, 0


@compiled
def count_byte(utf8: np.ndarray, classes: np.ndarray, unit: int, length: int, end: int) -> int:
    """How often the one character of ``length`` bytes at ``unit`` stands in ``unit:end``."""
    times = 0
    for at in range(unit, end):
        if classes[at] & START and is_copy(utf8, unit, length, at, end):
            times += 1
    return times


@compiled
def count_starts(classes: np.ndarray, low: int, high: int) -> int:
    """Characters in bytes ``low:high``."""
    count = 0
    for at in range(low, high):
        count += classes[at] & START
    return count


@compiled
def find_repeats(
    utf8: np.ndarray, classes: np.ndarray, offsets: np.ndarray, following: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Spans ``(start, end, copies)`` int64 [S, 3] in code points, and their number per text."""
    counts = np.zeros(offsets.size - 1, np.int64)
    spans = np.empty((1024, 3), np.int64)
    total = 0
    for doc in range(offsets.size - 1):
        at, high, place = offsets[doc], offsets[doc + 1], 0
        line_end = at - 1
        while at < high:
            if line_end < at:
                line_end = at
                while line_end < high and utf8[line_end] != NEWLINE:
                    line_end += 1
            length, end, copies = shortest_unit(utf8, classes, following, at, line_end, high)
            if length == 0:
                at += 1
                while at < high and not classes[at] & START:
                    at += 1
                place += 1
                continue
            if length == space_at(classes, at, high):  # separators may be copies too
                copies = count_byte(utf8, classes, at, length, end)
            if total == spans.shape[0]:
                spans = np.concatenate((spans, np.empty_like(spans)))
            after = place + count_starts(classes, at, end)
            spans[total, 0], spans[total, 1], spans[total, 2] = place, after, copies
            total += 1
            counts[doc] += 1
            at, place = end, after
    return spans[:total], counts
