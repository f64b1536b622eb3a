"""The engines' environments, made once in the checkout's state folder: a minute for Spark, less for text-dedup."""

from __future__ import annotations

import subprocess

import pytest

from acclimate.data.engines.environments import install


def _installed(engine: str) -> None:
    try:
        install(engine)
    except subprocess.CalledProcessError as failed:
        pytest.skip(f"pip cannot install {engine} here: {str(failed.output)[-300:]}")


@pytest.fixture(scope="session")
def with_spark() -> None:
    """Skip where the environment of the engine spark cannot be made."""
    _installed("spark")


@pytest.fixture(scope="session")
def with_text_dedup() -> None:
    """Skip where the environment of the engine text-dedup cannot be made."""
    _installed("text-dedup")
