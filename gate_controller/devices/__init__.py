"""Sans-io codecs, one a file, and the one table of their names. Nothing is found by scanning.

Channels count from 0, as on the wire. Devices that are no byte streams are adapters in `edge/devices`.
"""

from collections.abc import Callable

from gate_controller.devices.codec import Codec
from gate_controller.devices.line_reader import LineReader
from gate_controller.devices.modbus_relay8 import ModbusRelay8
from gate_controller.devices.rdm6300 import Rdm6300
from gate_controller.devices.text_display import TextDisplay

CODECS: dict[str, Callable[[], Codec]] = {
    "line_reader": LineReader,
    "modbus_relay8": ModbusRelay8,
    "rdm6300": Rdm6300,
    "text_display": TextDisplay,
}
