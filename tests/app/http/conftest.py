from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from omninet.app.engine.engine import Engine
from omninet.app.main import create_app
from omninet.app.settings import Settings
from omninet.model.predictor import Predictor
from tests.app.conftest import listening

Address = tuple[str, int]
Start = Callable[..., AbstractContextManager[Address]]


@pytest.fixture
def start(toy_predictor: Predictor) -> Start:
    """Return a function that serves the toy model or another predictor with given settings."""

    def start(predictor: Any = toy_predictor, **settings: Any) -> AbstractContextManager[Address]:
        chosen = Settings(media_processes=1, **settings)
        return listening(create_app(chosen, Engine([predictor])), chosen)

    return start
