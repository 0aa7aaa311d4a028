"""Writes a minimal shared object that the dynamic loader accepts, so that no compiler is needed."""

import struct
from pathlib import Path

_SECTION_TYPES = {  # name: (type, flags, entry size, linked section, info)
    ".data": (1, 3, 0, "", 0),
    ".dynsym": (11, 2, 24, ".dynstr", 1),
    ".dynstr": (3, 2, 0, "", 0),
    ".rela.dyn": (4, 2, 24, ".dynsym", 0),
    ".hash": (5, 2, 4, ".dynsym", 0),
    ".gnu.version": (0x6FFFFFFF, 2, 2, ".dynsym", 0),
    ".gnu.version_r": (0x6FFFFFFE, 2, 0, ".dynstr", 0),
    ".dynamic": (6, 3, 16, ".dynstr", 0),
    ".shstrtab": (3, 0, 0, "", 0),
}


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        offset = len(self.data)
        self.data += text.encode() + b"\0"
        return offset


def _elf_hash(name: str) -> int:
    value = 0
    for char in name.encode():
        value = (value << 4) + char
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value


def write_shared_object(
    path: Path, needs: dict[str, dict[str, list[str]]], drop_section: str = ""
) -> Path:
    """Write a shared object at `path` that exports one variable, `answer`: 64-bit words.

    The first word is 42; the next ones are the addresses of the undefined functions, in the order
    of `needs`, filled in by the loader.

    needs: library -> symbol version -> the undefined functions bound to that version.
    drop_section: a section to leave out of the section table.
    """
    strings, names = _Strings(), _Strings()
    symbols, bound, verneed = [bytes(24)], [0], b""
    libraries = list(needs)
    number = 2
    for library in libraries:
        auxes = b""
        for position, (version, functions) in enumerate(needs[library].items(), start=1):
            step = 16 if position < len(needs[library]) else 0
            auxes += struct.pack(
                "<IHHII", _elf_hash(version), 0, number, strings.add(version), step
            )
            for function in functions:
                symbols.append(struct.pack("<IBBHQQ", strings.add(function), 0x12, 0, 0, 0, 0))
                bound.append(number)
            number += 1
        step = 16 + len(auxes) if library != libraries[-1] else 0
        head = struct.pack("<HHIII", 1, len(needs[library]), strings.add(library), 16, step)
        verneed += head + auxes
    answer = len(symbols)
    answer_name = strings.add("answer")
    bound.append(1)
    count = answer + 1
    chain = [0, *range(answer)]  # every symbol in one bucket
    sections = {
        ".data": struct.pack("<q", 42) + bytes(8 * (answer - 1)),
        ".dynsym": b"".join(symbols) + bytes(24),
        ".dynstr": strings.data,
        ".rela.dyn": bytes(24 * (answer - 1)),
        ".hash": struct.pack(f"<{3 + count}I", 1, count, answer, *chain),
        ".gnu.version": struct.pack(f"<{count}H", *bound),
        ".gnu.version_r": verneed,
        ".dynamic": bytes(16 * (12 + len(libraries))),
    }
    offsets, end = {}, 64 + 3 * 56
    for name, content in sections.items():
        end = -(-end // 8) * 8
        offsets[name], end = end, end + len(content)
    sections[".dynsym"] = b"".join(symbols) + struct.pack(
        "<IBBHQQ", answer_name, 0x11, 0, 1, offsets[".data"], 8 * answer
    )
    sections[".rela.dyn"] = b"".join(
        struct.pack("<QQq", offsets[".data"] + 8 * symbol, symbol << 32 | 1, 0)  # R_X86_64_64
        for symbol in range(1, answer)
    )
    tags = [(1, strings.data.index(b"\0" + library.encode() + b"\0") + 1) for library in libraries]
    tags += [(4, offsets[".hash"]), (5, offsets[".dynstr"]), (6, offsets[".dynsym"])]
    tags += [(10, len(strings.data)), (11, 24), (0x6FFFFFF0, offsets[".gnu.version"])]
    tags += [(7, offsets[".rela.dyn"]), (8, len(sections[".rela.dyn"])), (9, 24)]
    tags += [(0x6FFFFFFE, offsets[".gnu.version_r"]), (0x6FFFFFFF, len(libraries)), (0, 0)]
    sections[".dynamic"] = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    loaded = offsets[".dynamic"] + len(sections[".dynamic"])

    listed = ["", *(name for name in _SECTION_TYPES if name != drop_section)]
    name_offsets = {name: names.add(name) for name in listed[1:]}
    sections[".shstrtab"], offsets[".shstrtab"] = names.data, loaded
    table = -(-(loaded + len(names.data)) // 8) * 8
    headers = [bytes(64)]
    for name in listed[1:]:
        kind, flags, entry, link, info = _SECTION_TYPES[name]
        info = len(libraries) if name == ".gnu.version_r" else info
        address = offsets[name] if flags else 0
        linked = listed.index(link) if link in listed else 0
        headers.append(
            struct.pack(
                "<IIQQQQIIQQ",
                *(name_offsets[name], kind, flags, address, offsets[name]),
                *(len(sections[name]), linked, info, 8, entry),
            )
        )
    ident = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    shape = (3, 62, 1, 0, 64, table, 0, 64, 56, 3, 64, len(headers), listed.index(".shstrtab"))
    dynamic = offsets[".dynamic"], len(sections[".dynamic"])
    segments = [
        struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, loaded, loaded, 0x1000),
        struct.pack("<IIQQQQQQ", 2, 6, *[dynamic[0]] * 3, dynamic[1], dynamic[1], 8),
        struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16),  # the stack: not executable
    ]
    image = bytearray(ident + struct.pack("<HHIQQQIHHHHHH", *shape) + b"".join(segments))
    for name, content in sections.items():
        image += bytes(offsets[name] - len(image)) + content
    image += bytes(table - len(image)) + b"".join(headers)
    path.write_bytes(image)
    return path
