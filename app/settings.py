"""What can be set, from the environment."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from omninet.app.http.keys import Keyring, read_keys
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.language.words import MAX_CHARACTERS
from omninet.model.storage.layout import BUNDLED

MEBI = 2**20
ORIGIN = re.compile(r"\*|https?://[^/\s]+")


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return text == "*"
    return True


def _split(value: Any) -> Any:
    """Entries of a variable, separated by commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Settings of the service; each is read from ``OMNINET_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="OMNINET_", extra="forbid")

    checkpoint: Path | None = Field(None, description="Folder of the checkpoint to serve; none is the bundled one.")
    device: str = Field(
        "auto",
        description="auto, cpu, cuda or cuda:N; auto takes CUDA where there is one; several, as cuda:0,cuda:1, have"
        " a copy of the model each.",
    )
    precision: str = Field("auto", description="auto, float32, bfloat16 or int8; /tasks says which it is.")
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 is every address of the machine.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any that is free.")

    max_upload_bytes: int = Field(64 * MEBI, gt=0, description="Largest request body with an image or a video.")
    max_text_bytes: int = Field(MEBI // 4, gt=0, description="Largest request body of JSON.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Largest image, width times height.")
    max_frame_pixels: int = Field(10_000_000, gt=0, description="Largest frame of a video, width times height.")
    max_video_seconds: float = Field(600.0, gt=0, description="Longest video.")
    max_decoded_frames: int = Field(6_000, gt=0, description="Most frames decoded to sample one video.")

    media_processes: int = Field(2, gt=0, description="Processes that decode images and videos.")
    media_seconds: float = Field(20.0, gt=0, description="Longest that decoding one file may take.")
    media_memory_bytes: int = Field(1024 * MEBI, gt=0, description="Most memory that decoding one file may take.")
    max_waiting_media: int = Field(64, gt=0, description="Uploads that may wait to be decoded; more are refused.")
    torch_threads: int | None = Field(
        None,
        gt=0,
        description="Threads of each of the model's two stages on a CPU; none is half of the cores.",
    )
    batch_rows: int = Field(
        32, gt=0, description="Most texts, and images, that the model has at once; of videos a quarter."
    )
    max_waiting_rows: int = Field(512, gt=0, description="Rows that may wait for the model; more are refused.")
    max_waiting_bytes: int = Field(
        1024 * MEBI, gt=0, description="Memory of the rows that wait for the model; more are refused."
    )
    deadline_seconds: float = Field(
        60.0, gt=0, description="Longest that an answer may take; a request's X-Timeout-Seconds can only be shorter."
    )
    traces: AnyHttpUrl | None = Field(
        None, description="Where traces are posted to (OTLP over HTTP), such as http://localhost:4318/v1/traces."
    )
    shutdown_seconds: int = Field(30, ge=0, description="How long requests may take to end when the server stops.")

    api_keys: SecretStr = Field(
        SecretStr(""), description="Keys that all but health needs, each NAME:DIGEST, as `omninet key NAME` prints it."
    )
    api_keys_file: Path | None = Field(None, description="File of such keys, one a line.")
    admin_keys: SecretStr = Field(SecretStr(""), description="Keys for administration, good for the rest as well.")
    admin_keys_file: Path | None = Field(None, description="File of keys for administration, one a line.")
    rate_per_minute: float | None = Field(
        None, gt=0, description="Requests a minute of one key, else of one address; none is no limit."
    )
    rate_burst: int = Field(20, gt=0, description="Requests that may come at once before that limit holds.")
    trusted_proxies: Listed = Field(
        (), description="Addresses or networks whose X-Forwarded-For is believed; `*` is all."
    )
    cors_origins: Listed = Field((), description="Origins whose pages may ask, as https://example.org; `*` is all.")
    header_seconds: float = Field(10.0, gt=0, description="Longest that the headers of a request may take to arrive.")
    upload_seconds: float = Field(30.0, gt=0, description="Longest that the body of a request may take to arrive.")
    max_text_characters: int = Field(
        MAX_CHARACTERS, gt=0, le=MAX_CHARACTERS, description="Longest text, or question, in characters."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not _is_network(value):
                raise PydanticCustomError("no_network", "must be addresses, networks such as 10.0.0.0/8, or *")
        return values

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not ORIGIN.fullmatch(value):
                raise PydanticCustomError("no_origin", "must be origins such as https://example.org, or *")
        return values

    def keyring(self) -> Keyring:
        """The keys of all four settings.

        Raises:
            ConfigError: one of them makes no sense.
        """
        return Keyring(
            read_keys("OMNINET_API_KEYS", self.api_keys.get_secret_value(), self.api_keys_file),
            read_keys("OMNINET_ADMIN_KEYS", self.admin_keys.get_secret_value(), self.admin_keys_file),
        )

    def checkpoint_folder(self) -> Path:
        """Where the checkpoint is."""
        return self.checkpoint or BUNDLED

    def devices(self) -> list[str]:
        """Name of each device."""
        return [name.strip() for name in self.device.split(",")]

    def media_limits(self) -> MediaLimits:
        """What one upload may be."""
        return MediaLimits(
            image_pixels=self.max_image_pixels,
            frame_pixels=self.max_frame_pixels,
            video_seconds=self.max_video_seconds,
            decoded_frames=self.max_decoded_frames,
        )
