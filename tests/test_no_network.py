import socket
import subprocess
import sys

import pytest


def test_an_outside_address_is_refused() -> None:
    with pytest.raises(PermissionError, match="outside"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(PermissionError, match="outside"):
        socket.getaddrinfo("example.org", 80)


def test_a_child_process_is_held_to_it_too() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "tests must not reach outside" in child.stderr


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
