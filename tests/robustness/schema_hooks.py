"""Hook that gives schemathesis real media files, since random bytes never reach the model."""

from __future__ import annotations

from typing import Any

import schemathesis

from tests.robustness.mutations import SAMPLES
from tests.sounds import tone, wav

FILES = {
    "image": (SAMPLES / "frisbee.jpg").read_bytes(),
    "video": (SAMPLES / "tennis.webm").read_bytes(),
    "audio": wav(tone(0.5, 8000), 8000),
}


@schemathesis.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Replace generated files with an even number of bytes by a real file."""
    for name, data in FILES.items():
        if isinstance(body, dict) and isinstance(made := body.get(name), bytes) and len(made) % 2 == 0:
            body[name] = data
    return body
