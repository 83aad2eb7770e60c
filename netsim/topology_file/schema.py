"""The shape of a topology file: keys, types, ranges, units. What it *means* is the inventory's business.

Types are strict: `true` is no integer, "100" no number, 100 no text. Unknown keys are refused. Lists
may be left empty (`routes:` with every entry commented out). Prefixes and addresses become integers
here. The JSON Schema that ships with the package is generated from these models (`json_schema`), so
descriptions are written for the editor's tooltip and name the unit and the default.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from netsim.controlplane.instance import MAX_NIC_MBPS
from netsim.controlplane.peer_conn import (
    MAX_BANDWIDTH_MBPS,
    MAX_BUFFER_BYTES,
    MAX_LATENCY_NS,
    MAX_MTU_BYTES,
    MIN_BANDWIDTH_MBPS,
    MIN_LATENCY_NS,
    MIN_MTU_BYTES,
)
from netsim.controlplane.region import REGIONS
from netsim.controlplane.values import MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS
from netsim.errors import InvalidError
from netsim.prefix import parse_addr, parse_prefix
from netsim.topology_file.text import shown
from netsim.traffic.expectation import REASONS, parse_listen, parse_port
from netsim.traffic.flow import MAX_PACKET_BYTES, MAX_TIME_SCALE
from netsim.units import NS_PER_MS

FORMAT_VERSION = 1
MAX_SEED = 2**63 - 1
MAX_LIMIT = 10**9
MAX_TIME_S = 10**9
MAX_RATE_MBPS = 10**6

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDR_PATTERN = rf"{_OCTET}(\.{_OCTET}){{3}}"
_PORT_PATTERN = "^(tcp|udp)/[1-9][0-9]{0,4}$"
_LISTEN_PATTERN = "^(udp/[1-9][0-9]{0,4}|tcp/[1-9][0-9]{0,4}(/echo)?)$"


def _parsed_text(parse: Callable[[str], Any], pattern: str, expected: str) -> tuple[Any, Any]:
    """A validator that turns text into what `parse` makes of it, and its piece of JSON Schema."""
    # Routes repeat their sources, and a hit is a tenth of a parse.
    cached = lru_cache(maxsize=65_536)(parse)

    def validate(value: object) -> Any:
        if type(value) is not str:
            raise PydanticCustomError("text_expected", "{text}", {"text": f"{shown(value)}, expected {expected}"})
        try:
            return cached(value)
        except InvalidError as error:
            message = str(error) if len(value) < 40 and value.isprintable() else f"{shown(value)}, expected {expected}"
            raise PydanticCustomError("text_expected", "{text}", {"text": message}) from None

    piece = {"type": "string", "pattern": pattern, "errorMessage": f"expected {expected}"}
    return PlainValidator(validate), WithJsonSchema(piece)


PrefixText = Annotated[
    Any, *_parsed_text(parse_prefix, rf"^{_ADDR_PATTERN}/(3[0-2]|[12]?[0-9])$", "a prefix like 10.1.0.0/16")
]
AddrText = Annotated[Any, *_parsed_text(parse_addr, f"^{_ADDR_PATTERN}$", "an IPv4 address like 10.1.0.20")]
ListenText = Annotated[Any, *_parsed_text(parse_listen, _LISTEN_PATTERN, "a port like tcp/443, udp/53 or tcp/7/echo")]
PortText = Annotated[Any, *_parsed_text(parse_port, _PORT_PATTERN, "a port like tcp/443 or udp/53")]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME_CHARS,
        pattern="^[^/]+$",
        json_schema_extra={"errorMessage": f"accepted a name of 1..{MAX_NAME_CHARS} characters without a slash"},
    ),
]
Reference = Annotated[str, Field(min_length=1, max_length=2 * MAX_NAME_CHARS + 1)]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION_CHARS)]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Account(_Entry):
    """A tenant."""

    id: str = Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="VPCs name it as their owner.",
        examples=["acme"],
        json_schema_extra={"errorMessage": "accepted 1..64 letters, digits, dots, dashes and underscores"},
    )


class Limits(_Entry):
    """Single limits, applied after the profile. `null` lifts one."""

    peer_connections_per_vpc: int | None = Field(
        None, ge=0, le=MAX_LIMIT, description="Peer connections of one VPC, both sides counted (product: 10)."
    )
    peer_connections_per_account: int | None = Field(
        None, ge=0, le=MAX_LIMIT, description="Peer connections an account has initiated (product: 10)."
    )
    transits: int | None = Field(
        None, ge=0, le=MAX_LIMIT, description="How often relay VPCs may pass one packet on (product: 1)."
    )
    vpcs_per_region: int | None = Field(
        None, ge=0, le=MAX_LIMIT, description="VPCs of one account in one region (product: 10)."
    )
    subnets_per_vpc: int | None = Field(None, ge=0, le=MAX_LIMIT, description="Subnets of one VPC (product: 10).")
    routes_per_vpc: int | None = Field(None, ge=0, le=MAX_LIMIT, description="Route rules of one VPC (product: 50).")


class Subnet(_Entry):
    """A part of the VPC's CIDR. Its first host address is the router, its second the DNS resolver."""

    name: Name = Field(description="Unique in the VPC.", examples=["web"])
    cidr: PrefixText = Field(
        description="Inside the VPC's CIDR, disjoint from the VPC's other subnets.", examples=["192.168.0.0/24"]
    )
    zone: str = Field("", max_length=MAX_NAME_CHARS, description="Default: the region's first.", examples=["cn-bj-a"])


class Instance(_Entry):
    """A machine with one address."""

    name: Name = Field(description="Unique in the file; vpc/name is accepted wherever the name is.", examples=["web-1"])
    subnet: Name = Field(description="Name of a subnet of this VPC.", examples=["web"])
    ip: AddrText = Field(
        description="In the subnet, but not its network, broadcast, first or second host address.",
        examples=["192.168.0.10"],
    )
    listen: list[ListenText] | None = Field(
        None,
        description="Ports that answer; the others refuse (RST, ICMP 3/3). tcp/PORT/echo sends back what it gets.",
        examples=[["tcp/80", "udp/53"]],
    )
    nic_mbps: int = Field(10_000, ge=1, le=MAX_NIC_MBPS, description="Rate of its interface, Mbit/s (default 10000).")


class Route(_Entry):
    """A rule of the VPC's route table. Longest destination wins, then longest source."""

    source: PrefixText = Field(
        description="0.0.0.0/0 or inside a subnet of the VPC (any in a relay VPC).", examples=["192.168.0.0/24"]
    )
    destination: PrefixText = Field(
        description="May not overlap the VPC's own CIDR (0.0.0.0/0 may).", examples=["10.1.0.0/16"]
    )
    next_hop: Reference = Field(
        description="Interface of one of this VPC's peer connections (name or id), gateway:NAME, or blackhole.",
        examples=["int-1", "gateway:nat", "blackhole"],
    )
    description: Description = Field("", description="Free text.")


class DnsRecord(_Entry):
    """A name the VPC's resolver answers."""

    name: str = Field(min_length=1, max_length=253, description="A DNS name.", examples=["shop.local"])
    a: AddrText = Field(description="The address it stands for.", examples=["192.168.0.10"])


class Vpc(_Entry):
    """A private network of one account in one region."""

    name: Name = Field(description="Unique in the file.", examples=["shop"])
    account: Name = Field(description="The owner: the id of an account.", examples=["acme"])
    region: Literal[*REGIONS] = Field(description="Where it is; distances make the default latency.")  # type: ignore[valid-type]  # the table's codes
    cidr: PrefixText = Field(description="Inside a private range (RFC 1918).", examples=["192.168.0.0/16"])
    relay: bool = Field(False, description="Whether packets may pass through from one peer connection to another.")
    description: Description = Field("", description="Free text.")
    subnets: list[Subnet] | None = None
    instances: list[Instance] | None = None
    routes: list[Route] | None = None
    dns: list[DnsRecord] | None = None


class Side(_Entry):
    """One end of a peer connection."""

    vpc: Name = Field(description="Name of the VPC.", examples=["shop"])
    interface: Name | None = Field(
        None, description="Name of this side's interface: the next hop of this VPC's routes.", examples=["int-1"]
    )


class DnsSync(_Entry):
    """Whether each side shares its DNS records; it works when both are on."""

    local: bool = Field(False, description="The initiator's switch (default false).")
    peer: bool = Field(False, description="The acceptor's switch (default false).")


class PeerConnection(_Entry):
    """A capped private link between two VPCs."""

    name: Name = Field(description="Unique in the file.", examples=["shop-data"])
    local: Side = Field(description="The initiator.")
    peer: Side = Field(description="The acceptor.")
    bandwidth_mbps: int = Field(
        ge=MIN_BANDWIDTH_MBPS, le=MAX_BANDWIDTH_MBPS, description="Cap of each direction, Mbit/s."
    )
    latency_ms: float | None = Field(
        None,
        ge=MIN_LATENCY_NS / NS_PER_MS,
        le=MAX_LATENCY_NS / NS_PER_MS,
        description="One-way delay, ms (default: from the distance of the regions; 0.5 in one region).",
    )
    burst_bytes: int | None = Field(
        None, ge=1, le=MAX_BUFFER_BYTES, description="Token bucket, bytes (default: 10 ms of the rate, at least 2 MTU)."
    )
    queue_bytes: int | None = Field(
        None, ge=0, le=MAX_BUFFER_BYTES, description="Queue, bytes (default: 50 ms of the rate, at least 64 KiB)."
    )
    mtu_bytes: int | None = Field(
        None, ge=MIN_MTU_BYTES, le=MAX_MTU_BYTES, description="Largest IP packet, bytes (default 1500)."
    )
    accounting: Literal["l3", "l2", "l1"] = Field(
        "l3", description="What the cap counts of a packet: IP length, +14 (l2), +38 (l1) bytes."
    )
    police: bool = Field(False, description="Drop what exceeds the cap instead of queueing it.")
    payment: Literal["prepaid", "postpaid"] = Field(
        "postpaid", description="Prepaid ends in `expired`; in one region only postpaid is sold."
    )
    state: Literal["consulting", "consult_failed", "active", "expired"] | None = Field(
        None, description="The state to start in (default active). Only an active one carries packets."
    )
    dns_sync: DnsSync | None = None


class Flow(_Entry):
    """Something that sends: udp or icmp at a rate, tcp as fast as it can, or a recorded capture (pcap)."""

    name: Name = Field(description="Unique in the file.", examples=["metrics"])
    from_: Reference = Field(alias="from", description="The sending instance, name or vpc/name.", examples=["web-1"])
    to: Reference = Field(description="The receiving instance, name or vpc/name.", examples=["db-1"])
    kind: Literal["udp", "tcp", "icmp"] | None = Field(None, description="Not needed with pcap.")
    rate_mbps: float | None = Field(
        None, gt=0, le=MAX_RATE_MBPS, description="Mbit/s of whole IP packets; required for udp; while on, for on_off."
    )
    packet_bytes: int | None = Field(
        None, ge=28, le=MAX_PACKET_BYTES, description="The whole IP packet, bytes (default 1500; icmp 84)."
    )
    arrivals: Literal["cbr", "poisson", "on_off"] | None = Field(
        None, description="Spacing of packets: constant (default), Poisson, or bursts (on_ms, off_ms)."
    )
    on_ms: float | None = Field(None, gt=0, le=MAX_TIME_S, description="on_off: mean length of a burst, ms.")
    off_ms: float | None = Field(None, gt=0, le=MAX_TIME_S, description="on_off: mean pause between bursts, ms.")
    dst_port: int | None = Field(None, ge=1, le=65_535, description="Destination port (default 5201), opened by this.")
    src_port: int | None = Field(None, ge=1, le=65_535, description="Source port (default: a dynamic one).")
    df: bool = Field(False, description="Don't fragment.")
    start_s: float = Field(0, ge=0, le=MAX_TIME_S, description="When it starts, s (default 0).")
    duration_s: float | None = Field(
        None, gt=0, le=MAX_TIME_S, description="How long it sends, s (default: to the end of the run or capture)."
    )
    pcap: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        None, description="A capture file to replay, relative to this file.", examples=["captures/web-session.pcap"]
    )
    time_scale: float | None = Field(
        None, gt=0, le=MAX_TIME_SCALE, description="Replay: gaps are multiplied by this (0.5 = twice as fast)."
    )


class Bounds(_Entry):
    """A closed range; one end may be left out."""

    at_least: float | None = Field(None, ge=0, description="Lower end.")
    at_most: float | None = Field(None, ge=0, description="Upper end.")


class Expectation(_Entry):
    """What must come out: reachability from one instance to another, or bounds for a flow."""

    from_: Reference | None = Field(None, alias="from", description="The asking instance.", examples=["web-1"])
    to: Reference | None = Field(None, description="The instance asked for.", examples=["db-1"])
    port: PortText | None = Field(None, description="A port that must answer; default: any packet arrives.")
    reachable: bool | None = Field(None, description="True only if the way back works too.")
    because: Literal[*REASONS] | None = Field(None, description="The reason, when not reachable.")  # type: ignore[valid-type]  # the table's codes
    flow: Name | None = Field(None, description="The name of a flow in traffic.", examples=["metrics"])
    throughput_mbps: Bounds | None = Field(None, description="Received, layer 3, Mbit/s.")
    goodput_mbps: Bounds | None = Field(None, description="Received payload above TCP/UDP, Mbit/s.")
    loss_ratio: Bounds | None = Field(None, description="Lost of sent, 0..1.")


class TopologyFile(_Entry):
    """A cloud of VPCs, what it carries, and what is expected of it."""

    schema_: str | None = Field(None, alias="$schema", description="For editors; not read.")
    # Not Literal[1]: that takes true and 1.0 too.
    netsim: int = Field(
        ge=FORMAT_VERSION,
        le=FORMAT_VERSION,
        description="Version of the file format.",
        json_schema_extra={"errorMessage": f"accepted {FORMAT_VERSION}, the version of the format"},
    )
    name: Name = Field(description="The topology's name.", examples=["cross-region"])
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Of random arrivals and ids (default 0).")
    profile: Literal["product", "research"] = Field(
        "product", description="product: the cloud's limits. research: no quotas, any number of transits."
    )
    limits: Limits | None = None
    accounts: list[Account] | None = None
    vpcs: list[Vpc] | None = None
    peer_connections: list[PeerConnection] | None = None
    traffic: list[Flow] | None = None
    expect: list[Expectation] | None = None
