"""Settings of the service, from environment variables."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AnyHttpUrl, BeforeValidator, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from omninet.app.http.keys import Keyring, read_keys
from omninet.model.errors import CheckpointError, ConfigError
from omninet.model.media.limits import MediaLimits
from omninet.model.modalities.language.words import MAX_CHARACTERS
from omninet.model.network_config import OmniNetConfig
from omninet.model.storage.layout import BUNDLED, skim

MEBI = 2**20
PREFIX = re.compile(r"(/[\w.~-]+)*", re.ASCII)
ORIGIN = re.compile(r"\*|https?://[^/\s]+")


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return text == "*"
    return True


def _split(value: Any) -> Any:
    """Split a variable into its entries, separated by commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Settings of the service, each read from the environment variable ``OMNINET_`` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="OMNINET_", extra="forbid")

    checkpoint: Path | None = Field(None, description="Folder of the checkpoint to serve; none for the bundled one.")
    tasks: Listed = Field(
        (),
        description="Tasks to load, such as caption,vqa, and only the weights that they need; embed:text loads that"
        " task for texts alone, which is all that searches by text need. None for all.",
    )
    device: str = Field(
        "auto",
        description="auto, cpu, cuda or cuda:N; auto uses CUDA if available; a list such as cuda:0,cuda:1 places a"
        " replica of the model on each.",
    )
    precision: str = Field("auto", description="auto, float32, bfloat16 or int8; /tasks reports the precision in use.")
    host: str = Field(
        "127.0.0.1",
        description="Address to listen on; 0.0.0.0 for all addresses of the machine, :: for those of IPv6 too.",
    )
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for any free port.")
    root_path: str = Field(
        "", description="Prefix of all paths behind a proxy, such as /omninet, whether or not the proxy removes it."
    )

    max_upload_bytes: int = Field(64 * MEBI, gt=0, description="Maximum size of a multipart request body, in bytes.")
    max_batch_bytes: int = Field(64 * MEBI, gt=0, description="Maximum size of the request body of /batch, in bytes.")
    max_text_bytes: int = Field(MEBI // 4, gt=0, description="Maximum size of a JSON request body, in bytes.")
    max_image_pixels: int = Field(
        200_000_000,
        gt=0,
        description="Maximum size of an image, width times height in pixels; 52 million if it is not a JPEG, or a"
        " progressive one.",
    )
    max_frame_pixels: int = Field(
        10_000_000, gt=0, description="Maximum size of a video's frames, width times height in pixels."
    )
    max_video_seconds: float = Field(600.0, gt=0, description="Maximum length of a video, in seconds.")
    max_audio_seconds: float = Field(120.0, gt=0, description="Maximum length of a recording, in seconds.")
    max_decoded_frames: int = Field(6_000, gt=0, description="Maximum number of frames decoded to sample one video.")

    media_processes: int = Field(2, gt=0, description="Number of processes that decode images, videos and recordings.")
    media_seconds: float = Field(20.0, gt=0, description="Time-out for decoding one file, in seconds.")
    media_memory_bytes: int = Field(1024 * MEBI, gt=0, description="Maximum memory for decoding one file, in bytes.")
    max_waiting_media: int = Field(
        64, gt=0, description="Maximum number of uploads waiting to be decoded; more are rejected."
    )
    torch_threads: int | None = Field(
        None,
        gt=0,
        description="Number of threads of each of the model's two stages on a CPU; none for half of the cores.",
    )
    batch_rows: int = Field(
        32,
        gt=0,
        description="Maximum number of texts, and of images, in progress in the model; a quarter of it for videos.",
    )
    max_waiting_rows: int = Field(
        512, gt=0, description="Maximum number of rows waiting for the model; more are rejected."
    )
    max_waiting_bytes: int = Field(
        1024 * MEBI, gt=0, description="Maximum size of the rows waiting for the model, in bytes; more are rejected."
    )
    deadline_seconds: float = Field(
        60.0, gt=0, description="Deadline of a request, in seconds; the header X-Timeout-Seconds can only shorten it."
    )
    idle_seconds: float | None = Field(
        None,
        gt=0,
        description="Time without requests after which the model gives its memory back, in seconds; the next request"
        " loads it again. None for never.",
    )
    index: str = Field(
        "",
        description="Folder of the index of pictures, by default omninet/index in XDG_DATA_HOME; `none` switches"
        " /index and /search off.",
    )
    index_url: SecretStr = Field(
        SecretStr(""), description="Address of a PostgreSQL database with pgvector that holds the index in its place."
    )
    max_index_entries: int = Field(1_000_000, gt=0, description="Maximum number of entries of the index.")
    max_index_bytes: int = Field(64 * 1024 * MEBI, gt=0, description="Maximum size of the index on disk, in bytes.")
    traces: AnyHttpUrl | None = Field(
        None, description="URL that traces are sent to (OTLP over HTTP), such as http://localhost:4318/v1/traces."
    )
    shutdown_seconds: int = Field(
        30, ge=0, description="Time for requests to complete when the server stops, in seconds."
    )

    api_keys: SecretStr = Field(
        SecretStr(""),
        description="API keys, as NAME:DIGEST of `omninet key NAME`; if set, all endpoints but health need one.",
    )
    api_keys_file: Path | None = Field(None, description="File with API keys, one on each line.")
    admin_keys: SecretStr = Field(SecretStr(""), description="Admin keys, as NAME:DIGEST; valid for all endpoints.")
    admin_keys_file: Path | None = Field(None, description="File with admin keys, one on each line.")
    rate_per_minute: float | None = Field(
        None,
        gt=0,
        description="Maximum rate of requests per minute for each key, or address without a key; none for no limit.",
    )
    rate_burst: int = Field(
        20, gt=0, description="Number of requests that a client may send at once before the rate limit applies."
    )
    trusted_proxies: Listed = Field(
        (), description="Addresses or networks of proxies whose X-Forwarded-For is trusted; `*` for all."
    )
    cors_origins: Listed = Field(
        (), description="Origins whose pages may send requests, such as https://example.org; `*` for all."
    )
    header_seconds: float = Field(
        10.0, gt=0, description="Time-out for receiving the headers of a request, in seconds."
    )
    upload_seconds: float = Field(30.0, gt=0, description="Time-out for receiving the body of a request, in seconds.")
    download_seconds: float = Field(
        60.0, gt=0, description="Time-out for a client to receive a response, in seconds; it is then disconnected."
    )
    max_text_characters: int = Field(
        MAX_CHARACTERS, gt=0, le=MAX_CHARACTERS, description="Maximum length of a text or question, in characters."
    )

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, value: str) -> str:
        path = value.rstrip("/")
        if not PREFIX.fullmatch(path):
            raise PydanticCustomError("no_prefix", "must be a path such as /omninet")
        return path

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
        """Return the keys of all four settings for keys.

        Raises:
            ConfigError: a key is invalid, or a file cannot be read or contains no key.
        """
        return Keyring(
            read_keys("OMNINET_API_KEYS", self.api_keys.get_secret_value(), self.api_keys_file),
            read_keys("OMNINET_ADMIN_KEYS", self.admin_keys.get_secret_value(), self.admin_keys_file),
        )

    def checkpoint_folder(self) -> Path:
        """Return the folder of the checkpoint."""
        return self.checkpoint or BUNDLED

    def network(self) -> OmniNetConfig:
        """Return the network of the checkpoint's configuration, with the tasks to load.

        Raises:
            CheckpointError: the checkpoint's folder is missing or invalid, or there is no such task.
        """
        network = skim(self.checkpoint_folder()).network
        try:
            return network.subset(self.tasks) if self.tasks else network
        except ConfigError as error:
            raise CheckpointError(f"OMNINET_TASKS: {error}") from error

    def devices(self) -> list[str]:
        """Return the names of the devices."""
        return [name.strip() for name in self.device.split(",")]

    def media_limits(self) -> MediaLimits:
        """Return the size limits on one upload."""
        return MediaLimits(
            image_pixels=self.max_image_pixels,
            frame_pixels=self.max_frame_pixels,
            video_seconds=self.max_video_seconds,
            audio_seconds=self.max_audio_seconds,
            decoded_frames=self.max_decoded_frames,
        )
