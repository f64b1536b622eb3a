"""Numbers as a reader wants them: 13,204 · 41.6 % · +0.113 · < 0.0001 · 1.2 MB."""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def count(number: int) -> str:
    """Thousands apart: 13,204."""
    return f"{number:,}"


def percent(share: float, digits: int = 1) -> str:
    """A share 0–1 in per cent: 41.6 %; one too small for the digits is '< 0.1 %', not 0.0 %."""
    least = 10**-digits
    small = 0 < 100 * share < least / 2
    return f"< {least:.{digits}f}{NARROW_SPACE}%" if small else f"{100 * share:.{digits}f}{NARROW_SPACE}%"


def decimal(number: float, digits: int = 3) -> str:
    """A score with a real minus sign."""
    return f"{number:.{digits}f}".replace("-", MINUS)


def signed(number: float, digits: int = 3) -> str:
    """A difference, always with its sign: +0.113, −0.024."""
    return f"{number:+.{digits}f}".replace("-", MINUS)


def interval(low: float, high: float, *, sign: bool = False, digits: int = 3) -> str:
    """Both ends of a confidence interval: 0.382 … 0.450."""
    show = signed if sign else decimal
    return f"{show(low, digits)} … {show(high, digits)}"


def probability(p: float) -> str:
    """A p-value; below what four decimals can show it says so instead of 0.0000."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def size(number_of_bytes: float) -> str:
    """Bytes in the largest decimal unit that leaves at least one: 1.2 MB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number_of_bytes >= scale:
            return f"{number_of_bytes / scale:,.1f}{NARROW_SPACE}{unit}"
    return f"{number_of_bytes:,.0f}{NARROW_SPACE}B"


def seconds(number: float) -> str:
    """Seconds to a tenth: 81.3."""
    return f"{number:,.1f}"


def words(name: str) -> str:
    """An identifier as words: 'scientific_python' is 'scientific python'."""
    return name.replace("_", " ")


def strategy(name: str) -> str:
    """An adapter's kind as its authors write it: 'lora' is 'LoRA'."""
    return {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA", "full": "full fine-tuning"}[name]
