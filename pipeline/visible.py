"""File names, as they may be shown."""

import os


def visible(name: str) -> str:
    """A file's name with whatever could rule a terminal or turn a line around spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def utf8(name: str) -> str:
    """A file's name as text that can be written: bytes that are no UTF-8 spelt out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
