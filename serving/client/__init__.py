"""Asks a published model about faces: in a folder, or behind TF Serving's API."""

from serving.client.answers import Answer, Ask, RefusedError, ask_all
from serving.client.connect import connect

__all__ = ["Answer", "Ask", "RefusedError", "ask_all", "connect"]
