"""YAML as plain values, read by libyaml where PyYAML has it, as its wheels do: a tenth of the time of its own parser.

Every stage and every task begins with params.yaml and most read dvc.lock, so this is part of each one's start-up.
"""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> Any:
    """The values of one document; None of an empty one.

    Raises:
        yaml.YAMLError: if it is none, with the line.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - both are safe loaders
