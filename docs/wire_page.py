"""Writes `asyncapi.yaml` and `protocol.md` out of the wire's own types: topics, directions, messages, schemas.

What travels on which topic stands in `CHANNELS` below, and the tests hold it against the code on both sides; every
schema comes from the structs of `sync.messages` and `sync.signing` and the facts and changes of `gate_controller`.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec
import yaml
from msgspec import Struct

from gate_controller.allowlist import Change
from gate_controller.facts import PERSONAL, Fact
from sync import codec
from sync import messages as wire
from sync.mqtt import WILL_DELAY_S
from sync.signing import Envelope, KeySet, Spoken


@dataclass(frozen=True)
class Channel:
    """What is sent on one topic, by whom, and how long a broker may keep it."""

    suffix: str
    sender: Literal["edge", "portal"]
    message: type[Struct]
    means: str
    of_site: bool = False
    retain: bool = False
    expires_s: int | None = None
    bytes_max: int = wire.PAYLOAD_LEN_MAX
    reply: str = ""

    @property
    def name(self) -> str:
        return ("site/" if self.of_site else "") + self.suffix

    @property
    def address(self) -> str:
        return wire.topic_root("{tenant}", "{site}") + ("/" if self.of_site else "/{edge}/") + self.suffix

    @property
    def signed(self) -> bool:
        return issubclass(self.message, Spoken)


ORDER_S: Final = int(wire.ORDER_LIVES.total_seconds())
CLAIM_S: Final = int(wire.CLAIM_LIVES.total_seconds())

CHANNELS: Final = (
    Channel(
        "state",
        "edge",
        wire.State,
        "What the edge says about itself; again whenever it changes. The will says the same with status offline, "
        f"{WILL_DELAY_S} s after the connection was lost.",
        retain=True,
    ),
    Channel("ev", "edge", wire.EventBatch, "Rows of the journal, until `ev/ack` covers them.", reply="ev/ack"),
    Channel("ev/ack", "portal", wire.EventAck, "These rows are stored: the only thing that counts as sent."),
    Channel(
        "list/get", "edge", wire.ListGet, "What an edge has of the list, on every connection.", reply="list/part"
    ),
    Channel(
        "list/part",
        "portal",
        wire.ListPart,
        "A whole list in parts; an edge goes on where it was cut off.",
        bytes_max=wire.PART_LEN_MAX,
    ),
    Channel(
        "list/mend",
        "portal",
        wire.ListMend,
        "What differs, for an edge whose list has another root.",
    ),
    Channel("list/delta", "portal", wire.ListDelta, "The changes that one edge asked for."),
    Channel("list/delta", "portal", wire.ListDelta, "A change of the list, to every edge at once.", of_site=True),
    Channel(
        "list/head",
        "portal",
        wire.ListHead,
        "Which list is the newest; a hint that an edge may have missed one.",
        of_site=True,
        retain=True,
        bytes_max=wire.SMALL_LEN_MAX,
    ),
    Channel(
        "keys",
        "portal",
        KeySet,
        "The keys that sign from now on, signed by the root key.",
        of_site=True,
        retain=True,
        bytes_max=wire.SMALL_LEN_MAX,
    ),
    Channel(
        "cmd",
        "portal",
        wire.Cmd,
        "An order, for now and once.",
        expires_s=ORDER_S,
        bytes_max=wire.SMALL_LEN_MAX,
        reply="cmd/r",
    ),
    Channel("cmd/r", "edge", wire.CmdResult, "What became of an order."),
    Channel(
        "evidence",
        "edge",
        wire.PicturePart,
        "The picture that decided a row, because an order asked for it.",
        bytes_max=wire.PART_LEN_MAX,
    ),
    Channel(
        "claim",
        "edge",
        wire.Claim,
        "An edge asks for a user's place among all edges, or gives it back.",
        expires_s=CLAIM_S,
        reply="claim/r",
    ),
    Channel(
        "claim/r",
        "portal",
        wire.ClaimReply,
        "Whether the place is the edge's.",
        expires_s=CLAIM_S,
        bytes_max=wire.SMALL_LEN_MAX,
    ),
    Channel(
        "claim/left", "portal", wire.Left, "Sessions that ended at another edge.", bytes_max=wire.SMALL_LEN_MAX
    ),
    Channel(
        "enrol",
        "edge",
        wire.Enrol,
        "A badge that a desk handed out, until it is answered.",
        bytes_max=wire.SMALL_LEN_MAX,
        reply="enrol/r",
    ),
    Channel(
        "enrol/r",
        "portal",
        wire.EnrolReply,
        "The user's number, or why there is none.",
        bytes_max=wire.SMALL_LEN_MAX,
    ),
)

_REF: Final = "#/components/schemas/"


def schemas() -> dict[str, Any]:
    """Every type on the wire as JSON Schema 2020-12, by its name."""
    told = dict.fromkeys([Envelope, *(channel.message for channel in CHANNELS)])
    kinds = [*told, *get_args(Fact), *get_args(Change)]
    _, found = msgspec.json.schema_components(kinds, ref_template=_REF + "{name}")
    for fact in get_args(Fact):
        _without_personal(found, fact)
    found["Event"]["properties"]["kind"]["examples"] = [*codec.FACT_KINDS.values()]
    found["Event"]["properties"]["body"] = {
        "description": "The fact of that kind without its personal fields; an unknown kind is kept as it is.",
        "anyOf": [_ref(fact) for fact in get_args(Fact)],
    }
    for change in get_args(Change):
        found[change.__name__]["properties"]["op"] = {"const": codec.CHANGE_KINDS[change]}
        found[change.__name__]["required"].append("op")
    ops = {"oneOf": [_ref(change) for change in get_args(Change)]}
    for carrier in (wire.ListDelta, wire.ListMend):
        found[carrier.__name__]["properties"]["ops"]["items"] = ops
    found["ListPart"]["properties"]["packed"] |= {
        "contentMediaType": "application/zlib",
        "description": "A JSON array of changes, such as the ops of a delta, in zlib's format (RFC 1950).",
    }
    for channel in CHANNELS:
        if channel.signed:
            found[_payload(channel)] = _enveloped(channel.message)
    for schema in found.values():
        if "description" in schema:
            schema["description"] = _unfolded(schema["description"])
    return {name: _plain_discriminator(schema) for name, schema in sorted(found.items())}


def asyncapi() -> str:
    """The protocol as an AsyncAPI 3.0 document."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Slagboom between an edge and its portal",
            "version": f"{wire.PROTOCOL_VERSION}.0.0",
            "description": "MQTT 5 at QoS 1. Operations are the edge's: it sends, and receives. What is signed "
            "travels "
            "in an envelope `{kid, sig, body}`. What the broker acknowledges proves nothing: rows count as sent "
            "when "
            "`ev/ack` covers them, a list is in force when `state` says so.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_key(channel): _channel(channel) for channel in CHANNELS},
        "operations": {_operation_name(channel): _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {_payload(channel): _message(channel) for channel in CHANNELS},
            "schemas": schemas(),
        },
    }
    head = "# Written by docs/generate.py; `make docs` writes it anew. Operations are the edge's.\n"
    return head + yaml.dump(document, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)


def page() -> str:
    """The page for people: the same table, and every message with its fields."""
    root = wire.topic_root("{tenant}", "{site}") + "/"
    rows = [
        f"| `{channel.address.removeprefix(root)}` | {channel.sender} | {_link(channel.message)} "
        f"| {_kept(channel)} | {channel.bytes_max // 1024} | {channel.means} |"
        for channel in CHANNELS
    ]
    found = schemas()
    parts = [
        "# What goes over the wire",
        "<!-- Written by docs/generate.py from sync/messages.py; `make docs` writes it anew. -->",
        f"MQTT 5 at QoS 1; every topic begins with `{root}`. Payloads are JSON; fields that are not known are "
        "ignored, and a message above its limit is refused unread. What the broker acknowledges proves nothing: "
        "rows count as sent when `ev/ack` covers them, a list is in force when `state` says so. The same for "
        "programs: [asyncapi.yaml](asyncapi.yaml).",
        "| Topic | From | Message | At the broker | KiB at most | Means |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows),
        "A signed message travels in an envelope `{kid, sig, body}`: `sig` is Ed25519 over the bytes of `body` as "
        "they stand in the message, behind `slagboom/1 signed` and a zero byte; `kid` names the key.",
    ]
    for kind in dict.fromkeys(channel.message for channel in CHANNELS):
        parts += [f"## {kind.__name__}", found[kind.__name__]["description"], _fields(found[kind.__name__])]
    return "\n\n".join(parts) + "\n"


# ---- inside ----


class _Plain(yaml.SafeDumper):
    """No anchors: the same schema twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _without_personal(found: dict[str, Any], fact: type) -> None:
    """Personal fields travel beside the body and are not part of it."""
    for path in PERSONAL.get(fact, ()):
        *outer, name = path.split(".")
        schema = found[fact.__name__]
        for step in outer:
            schema = found[schema["properties"][step]["$ref"].removeprefix(_REF)]
        schema["properties"].pop(name, None)
        schema["required"] = [field for field in schema.get("required", []) if field != name]


def _plain_discriminator(value: Any) -> Any:
    """AsyncAPI names the property alone, where OpenAPI has an object."""
    if isinstance(value, dict):
        return {
            key: held["propertyName"] if key == "discriminator" else _plain_discriminator(held)
            for key, held in value.items()
        }
    return [_plain_discriminator(held) for held in value] if isinstance(value, list) else value


def _enveloped(kind: type[Struct]) -> dict[str, Any]:
    return {
        "title": f"Signed{kind.__name__}",
        "description": f"{kind.__name__} in its envelope.",
        "allOf": [_ref(Envelope), {"type": "object", "properties": {"body": _ref(kind)}}],
    }


def _channel(channel: Channel) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", channel.address)
    return {
        "address": channel.address,
        "description": channel.means,
        "messages": {_payload(channel): {"$ref": f"#/components/messages/{_payload(channel)}"}},
        "parameters": {name: {"description": f"Name of the {name}."} for name in names},
    }


def _message(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.message.__name__,
        "summary": _unfolded(channel.message.__doc__ or "").split("; ")[0].split(". ")[0],
        "payload": {"$ref": _REF + _payload(channel)},
        "x-bytes-max": channel.bytes_max,
    }


def _operation(channel: Channel) -> dict[str, Any]:
    mqtt: dict[str, Any] = {"qos": 1, "retain": channel.retain, "bindingVersion": "0.2.0"}
    if channel.expires_s is not None:
        mqtt["messageExpiryInterval"] = channel.expires_s
    return {
        "action": "send" if channel.sender == "edge" else "receive",
        "channel": {"$ref": f"#/channels/{_key(channel)}"},
        "messages": [{"$ref": f"#/channels/{_key(channel)}/messages/{_payload(channel)}"}],
        "bindings": {"mqtt": mqtt},
        **(
            {"reply": {"channel": {"$ref": f"#/channels/{channel.reply.replace('/', '_')}"}}}
            if channel.reply
            else {}
        ),
    }


def _operation_name(channel: Channel) -> str:
    return ("send_" if channel.sender == "edge" else "receive_") + _key(channel)


def _payload(channel: Channel) -> str:
    return ("Signed" if channel.signed else "") + channel.message.__name__


def _key(channel: Channel) -> str:
    return channel.name.replace("/", "_")


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _REF + kind.__name__}


def _unfolded(text: str) -> str:
    """A docstring without the indentation that the source gave it."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _link(kind: type[Struct]) -> str:
    return f"[{kind.__name__}](#{kind.__name__.lower()})" + (", signed" if issubclass(kind, Spoken) else "")


def _kept(channel: Channel) -> str:
    if channel.retain:
        return "kept"
    return f"at most {channel.expires_s} s" if channel.expires_s is not None else ""


def _fields(schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        f"| `{name}` | {_shown(field)} | {'required' if name in required else _default(field)} |"
        for name, field in schema["properties"].items()
    ]
    return "| Field | Value | Default |\n|---|---|---|\n" + "\n".join(rows)


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "none" if default in (None, "", [], ()) else f"`{msgspec.json.encode(default).decode()}`"


def _shown(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"`{field['$ref'].removeprefix(_REF)}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if some := field.get("anyOf") or field.get("oneOf"):
        shown = [_shown(one) for one in some if one.get("type") != "null"]
        return " or ".join(shown if len(shown) <= 4 else ["one of the facts"])
    if field.get("type") == "array":
        return f"list of {_shown(field.get('items', {}))}"
    limit = {key: field[key] for key in ("maxLength", "maxItems", "maximum") if key in field and field[key] < 2**53}
    words = field.get("format") or field.get("contentEncoding") or field.get("type", "any")
    return words + "".join(f", at most {value}" for value in limit.values())
