"""A fault that a person has to mend ends a task at once: the same try again would fail again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from airflow.sdk.exceptions import AirflowFailException

from acclimate.core.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


def told(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, whose UserErrors fail the task without a retry, with their text."""

    @functools.wraps(function)
    def telling(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except UserError as fault:
            raise AirflowFailException(str(fault)) from fault

    return telling
