"""JSON and JSONL as records.

A .jsonl file holds one record a line. A .json file holds a list of records, an object of records, or one record;
`records` names where they are inside: 'data.paragraphs.qas' goes through every element of the lists on its way.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from acclimate.core.params import Reading
from acclimate.data.sources.content import MB, Content, Fault, Raw, UnreadableError

_EXCERPT_BYTES = 480  # 120 characters, whatever they are


def read_jsonl(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """Each line that is not empty, as its value or as the reason why it has none."""
    stream, encoding = content.byte_lines(source.encoding)
    most = int(content.limits.max_record_mb * MB)
    number = 0
    while line := stream.readline(most + 1):
        number += 1
        if len(line) > most and not line.endswith(b"\n"):
            _skip_rest(stream, most)
            detail = f"over {content.limits.max_record_mb:g} MB (ingest.limits.max_record_mb)"
            yield Fault(f":{number}", "record too large", detail, _excerpt(line))
        elif line.strip():
            yield _line_value(line.strip(), encoding, f":{number}")


def read_json(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """The records of a file that is one JSON value.

    Raises:
        UnreadableError: if it is not JSON.
    """
    parts = source.records.split(".") if source.records else []
    yield from _descend(parse(content.text(source.encoding)), parts, "", ())


def parse(text: str) -> Any:
    """The value of a JSON text; what parsers disagree about is refused: duplicate keys, NaN, infinity.

    Raises:
        UnreadableError: if it is not JSON, or is refused.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_number)
    except json.JSONDecodeError as fault:
        raise UnreadableError("not JSON", f"{fault.msg} at line {fault.lineno}, column {fault.colno}") from None
    except RecursionError:
        raise UnreadableError("not JSON", "nested too deeply") from None
    except ValueError as fault:  # an integer of more than 4,300 digits
        raise UnreadableError("not JSON", str(fault)) from None


def _line_value(line: bytes, encoding: str, where: str) -> Raw | Fault:
    try:
        return Raw(where, parse(line.decode(encoding)))
    except UnicodeDecodeError as fault:
        return Fault(
            where, f"not {encoding.upper()}", f"byte {fault.start} of the line: {fault.reason}", _excerpt(line)
        )
    except UnreadableError as fault:
        return Fault(where, fault.reason, fault.detail.replace(" at line 1,", " at"), _excerpt(line))


def _skip_rest(stream: Any, most: int) -> None:
    while (rest := stream.readline(most)) and not rest.endswith(b"\n"):
        pass


def _excerpt(line: bytes) -> str:
    return line[:_EXCERPT_BYTES].decode("utf-8", errors="replace")[:120]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise UnreadableError("duplicate key", f"{twice!r} stands more than once in one object")
    return made


def _no_number(name: str) -> float:
    raise UnreadableError("not a number", f"{name} is not JSON")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UnreadableError("not a number", f"{text} is beyond a 64-bit float")
    return value


def _descend(value: Any, parts: list[str], where: str, parents: tuple[dict[str, Any], ...]) -> Iterator[Raw | Fault]:
    """The records below `value`; lists are gone through on the way unless `parts` names an element by number."""
    if isinstance(value, list) and not (parts and parts[0].isdecimal()):
        for number, element in enumerate(value):
            yield from _descend(element, parts, f"{where}[{number}]", parents)
    elif not parts:
        yield from _records(value, where, parents)
    elif isinstance(value, list):
        number = int(parts[0])
        below = value[number] if number < len(value) else None
        yield from _descend(below, parts[1:], f"{where}[{number}]", parents)
    elif isinstance(value, dict) and parts[0] in value:
        yield from _descend(value[parts[0]], parts[1:], f"{where}.{parts[0]}", (*parents, value))
    else:
        yield Fault(f":{where.lstrip('.')}", "no records where the source says", f"there is no {parts[0]!r}")


def _records(value: Any, where: str, parents: tuple[dict[str, Any], ...]) -> Iterator[Raw]:
    """An object whose values are all objects is many records, any other value is one."""
    if isinstance(value, dict) and value and all(isinstance(element, dict) for element in value.values()):
        for key, element in value.items():
            yield Raw(f":{f'{where}.{key}'.lstrip('.')}", element, (*parents, value))
    else:
        yield Raw(f":{where.lstrip('.')}", value, parents)
