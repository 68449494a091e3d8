"""Transcript output: what is said in a recording, character by character."""

from omninet.model.outputs.transcript.output import TranscriptOutput

__all__ = ["TranscriptOutput"]
