"""Translation output: a text, or several, in another language."""

from omninet.model.outputs.translation.output import TranslationOutput

__all__ = ["TranslationOutput"]
