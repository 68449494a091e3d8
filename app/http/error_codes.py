"""Codes of all errors, for the enumeration in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Iterable

from omninet.app.http.endpoints import Endpoint
from omninet.model.modalities.language.modality import TOO_MANY

# Codes that do not depend on the tasks of the network; tests/app/http/test_error_codes.py compares them with the code.
FIXED = {
    "admin_disabled",
    "audio_too_long",
    "bad_array",
    "bad_option",
    "bad_request",
    "body_too_large",
    "corrupt_audio",
    "corrupt_image",
    "corrupt_video",
    "cors_refused",
    "deadline_exceeded",
    "empty_file",
    "empty_text",
    "explanation_too_large",
    "headers_too_large",
    "headers_too_slow",
    "image_too_large",
    "index_full",
    "index_mismatch",
    "index_unavailable",
    "insufficient_storage",
    "internal_error",
    "invalid_admin_key",
    "invalid_api_key",
    "invalid_base64",
    "invalid_filter",
    "invalid_http",
    "invalid_json",
    "invalid_metadata",
    "invalid_text",
    "invalid_value",
    "media_too_expensive",
    "method_not_allowed",
    "metrics_elsewhere",
    "missing_admin_key",
    "missing_api_key",
    "missing_body",
    "missing_input",
    "missing_part",
    "no_audio_stream",
    "no_licence",
    "no_video_stream",
    "not_a_file",
    "not_a_video",
    "not_an_image",
    "not_audio",
    "not_found",
    "not_in_batch",
    "not_in_index",
    "not_ready",
    "not_trained",
    "overloaded",
    "rate_limited",
    "reload_elsewhere",
    "reload_failed",
    "reload_running",
    "repeated_part",
    "replica_lost",
    "shutting_down",
    "task_not_in_checkpoint",
    "text_too_long",
    "too_many_texts",
    "unexpected_input",
    "unknown_field",
    "unknown_task",
    "unreadable_file",
    "unsupported_image",
    "unsupported_media_type",
    "upload_too_slow",
    "video_too_large",
    "video_too_long",
}


def error_codes(endpoints: Iterable[Endpoint]) -> list[str]:
    """Return the codes of all errors of a service with these endpoints, in alphabetical order."""
    found = set(FIXED)
    for field in (field for endpoint in endpoints for field in endpoint.fields):
        found |= {f"empty_{field.name}", f"empty_{field.input.role}", f"{field.input.role}_too_long", TOO_MANY}
    return sorted(found)
