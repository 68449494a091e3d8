"""The Ray deployment that decodes uploads."""

from __future__ import annotations

from functools import partial
from io import BytesIO

from omninet.app.backend import Upload
from omninet.app.cluster.messages import Found, OtherPeripheralError, packed
from omninet.app.local.serving import decode, media_pool
from omninet.app.settings import Settings
from omninet.app.telemetry.logs import configure_logs
from omninet.app.telemetry.stopwatch import Stopwatch


class MediaDecoder:
    """Decodes uploads in sandboxed processes, for the checkpoint of the settings.

    Raises:
        CheckpointError: the checkpoint's configuration cannot be read.
    """

    def __init__(self) -> None:
        configure_logs()
        settings = Settings()
        network = settings.network()
        self._peripherals = network.peripherals
        self._pool = media_pool(settings, {name: network.modality(name) for name in network.peripherals})
        self._pool.start()

    async def decode(self, peripheral: str, form: str, data: bytes) -> bytes:
        """Decode a file; return a serialised Found, or a serialised error. See Sandbox.decode for the arguments."""
        return await packed(self._decode(Upload("", peripheral, form, BytesIO(data))))

    async def _decode(self, upload: Upload) -> Found:
        # During a rolling update the request may be for another checkpoint.
        if upload.peripheral not in self._peripherals:
            raise OtherPeripheralError
        times = Stopwatch()
        value = await self._pool.run(partial(decode, times, upload))
        return Found(value, self._peripherals[upload.peripheral], times.spent("decode_media"))

    def __del__(self) -> None:
        if hasattr(self, "_pool"):  # missing if the constructor failed
            self._pool.close()
