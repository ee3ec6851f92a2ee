"""How numbers are written on the page: grouped, rounded, with their unit or interval."""

from __future__ import annotations

import math

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"
UNITS = (("k", 1e3), ("M", 1e6), ("G", 1e9))


def whole(value: float) -> str:
    """``12345`` as ``12,345``."""
    return _signed(f"{value:,.0f}")


def decimal(value: float, places: int = 3) -> str:
    """A number with fixed decimals; a value that is not finite is a dash."""
    return _signed(f"{value:.{places}f}") if math.isfinite(value) else "–"


def percent(share: float, places: int = 1) -> str:
    """A share of one as per cent."""
    return f"{decimal(100 * share, places)}{SPACE}%" if math.isfinite(share) else "–"


def short(value: float) -> str:
    """A count in at most four figures: ``8,432``, ``84.3 k``, ``8.43 M``, ``1.20 G``."""
    if abs(value) < 10_000:
        return whole(value)
    unit, size = next((u for u in UNITS if abs(value) < 999.5 * u[1]), UNITS[-1])
    scaled = value / size
    places = max(0, 2 - int(math.log10(max(abs(scaled), 1))))
    return f"{decimal(scaled, places)}{SPACE}{unit}"


def duration(seconds: float) -> str:
    """``8.4 s``, ``48 s``, ``2 min 05 s``, ``1 h 04 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f}{SPACE}s"
    total = round(seconds)
    if total < 60:
        return f"{total}{SPACE}s"
    if total < 3600:
        return f"{total // 60}{SPACE}min {total % 60:02d}{SPACE}s"
    return f"{total // 3600}{SPACE}h {total % 3600 // 60:02d}{SPACE}min"


def memory(megabytes: float) -> str:
    """``812 MB`` or ``1.24 GB`` (binary units, as the record counts them)."""
    return (
        f"{megabytes:.0f}{SPACE}MB"
        if round(megabytes) < 1024
        else f"{megabytes / 1024:.2f}{SPACE}GB"
    )


def probability(p: float) -> str:
    """A p value with three decimals, or ``< 0.001``."""
    return "< 0.001" if p < 0.001 else decimal(p, 3)


def interval(low: float, high: float, places: int = 3) -> str:
    """The ends of an interval, ``[0.541, 0.566]``; nothing where an end is not finite."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{decimal(low, places)}, {decimal(high, places)}]"


def _signed(text: str) -> str:
    if text.startswith("-"):
        return text[1:] if not text.strip("-0.,") else MINUS + text[1:]
    return text
