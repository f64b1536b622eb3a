"""What the DAGs have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

SETTINGS: dict[str, Any] = {
    "catchup": False,
    "is_paused_upon_creation": False,
    "tags": ["acclimate"],
    "default_args": {
        "owner": "acclimate",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(minutes=30),
    },
}
