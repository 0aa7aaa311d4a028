"""Refuses every connection but those to this machine; Python runs it at start when on its path.

The tests put this folder on PYTHONPATH, so the processes they start are held to it too.
"""

import ipaddress
import socket
from typing import Any


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    try:
        return host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_connect, _connect_ex, _resolve = (
    socket.socket.connect,
    socket.socket.connect_ex,
    socket.getaddrinfo,
)


def _refuse(address: Any) -> None:
    if not _is_local(address):
        raise PermissionError(f"tests must not reach outside this machine: {address}")


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _refuse(address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _refuse(address)
    return _connect_ex(self, address)


def _guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, socket.gethostname()):
        _refuse((name, 0))
    return _resolve(host, *args, **kwargs)


socket.socket.connect = _guarded_connect  # type: ignore[method-assign]
socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign]
socket.getaddrinfo = _guarded_resolve
