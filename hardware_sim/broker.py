"""A real MQTT 5 broker for the demo, out of a wheel, in a child process that can be stopped or killed.

It listens on 127.0.0.1 only, keeps everything in memory, and forgets it when it ends: what a gate must survive.
It ends by itself when its parent does. Run as a program, this file is the child.
"""

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from gate_controller.errors import PortalError

READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 5.0
PAYLOAD_LEN_MAX: Final = 32 * 1024 * 1024

# rumqttd's default listener speaks MQTT 3.1.1 on every interface; only a file gives it another.
_CONFIG: Final = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "demo"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload_len_max}
max_inflight_count = 500
dynamic_filters = true
"""


class Broker:
    """The broker on `127.0.0.1:port`; started and stopped any number of times on the same port."""

    def __init__(self, port: int | None = None) -> None:
        """`port` None picks a free one."""
        self.port = port or free_port()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it takes connections. Raises PortalError naming the fix."""
        self._refuse_taken_port()
        with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as config:
            config.write(_CONFIG.format(port=self.port, payload_len_max=PAYLOAD_LEN_MAX))
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "hardware_sim.broker", config.name],
                stdin=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            self._wait_until_ready(self._child)
        finally:
            Path(config.name).unlink()

    def stop(self) -> None:
        """End it in good order, as far as it knows any."""
        self._end(kill=False)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(kill=True)

    def _refuse_taken_port(self) -> None:
        try:
            # It sets SO_REUSEADDR: only a listener is in the way, not the remains of old connections.
            socket.create_server(("127.0.0.1", self.port)).close()
        except OSError as error:
            raise PortalError(
                f"the demo's broker cannot have port {self.port}: {error.strerror}; end who has it"
            ) from error

    def _wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        for _ in range(int(READY_WITHIN_S / 0.05)):
            if child.poll() is not None:
                raise PortalError(
                    f"the demo's broker ended at its start (exit code {child.returncode}); is the package iotcore"
                    " installed?"
                )
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        self.kill()
        raise PortalError(f"the demo's broker took no connection on port {self.port} within {READY_WITHIN_S:.0f} s")

    def _end(self, *, kill: bool) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if kill:
            child.kill()
        else:
            child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _serve(config: str) -> None:
    from iotcore import IotCoreBroker

    # It reports every connection as an error; what matters is seen by whoever talks to it.
    logging.disable(logging.CRITICAL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    IotCoreBroker(config_path=config).run_forever()


if __name__ == "__main__":
    _serve(sys.argv[1])
