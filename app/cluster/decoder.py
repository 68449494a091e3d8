"""The deployment that decodes uploads."""

from __future__ import annotations

from functools import partial
from io import BytesIO

from app.backend import Upload
from app.cluster.messages import Seen, packed
from app.logs import configure_logs
from app.sandbox import MediaKind
from app.serving import decode, media_pool
from app.settings import Settings
from app.stopwatch import Stopwatch
from model.model_config import read_config
from model.modalities.vision.config import VisionConfig


class Decoder:
    """Decodes in the confined processes of one server, for the checkpoint of the settings.

    Raises:
        CheckpointError: its configuration cannot be read.
    """

    def __init__(self) -> None:
        configure_logs()
        settings = Settings()
        found = read_config(settings.checkpoint_folder()).network.first(VisionConfig)
        self._vision = found and found[1]
        self._pool = media_pool(settings, self._vision)
        self._pool.start()

    async def decode(self, kind: MediaKind, data: bytes) -> bytes:
        """What is seen of a file, as Seen."""
        return await packed(self._decode(Upload(kind, BytesIO(data))))

    async def _decode(self, upload: Upload) -> Seen:
        times = Stopwatch()
        frames = await self._pool.run(partial(decode, times, upload))
        return Seen(frames, self._vision, times.spent("decode_media"))

    def __del__(self) -> None:
        if hasattr(self, "_pool"):  # else it never began
            self._pool.close()
