"""Captures Rx packets on the loopback interface and takes them apart: rx-capture.py PORT OUTPUT, until SIGTERM.

A reader of its own, which shares nothing with the suite's codecs: what it calls malformed is so for somebody else. OUTPUT
becomes one JSON object: packets by type and direction, what is malformed, what was sent twice, the largest body of a packet,
and the calls between PORT and its clients in their order.
"""

import json
import signal
import socket
import struct
import sys

PORT, OUTPUT = int(sys.argv[1]), sys.argv[2]
SOL_PACKET, PACKET_STATISTICS, PACKET_VNET_HDR = 263, 6, 15
SO_RCVBUFFORCE = 33
IPV4, UDP, GSO_UDP = 0x0800, 17, 5
HEADER, JUMBO_BODY, AFS = 28, 1412, 1
DATA, ACK, BUSY, ABORT, ACKALL, CHALLENGE, RESPONSE, DEBUG, VERSION = 1, 2, 3, 4, 5, 6, 7, 8, 13
CLIENT, LAST, JUMBO = 1, 4, 32
NAMES = {DATA: "DATA", ACK: "ACK", BUSY: "BUSY", ABORT: "ABORT", ACKALL: "ACKALL", CHALLENGE: "CHALLENGE",
         RESPONSE: "RESPONSE", DEBUG: "DEBUG", VERSION: "VERSION"}

counts, malformed, again, calls = {}, [], [], []
seen = set()
largest = 0


def members(body):
    """The packets that a jumbogram holds: flags of the next stand behind each but the last."""
    flags = JUMBO
    while flags & JUMBO:
        yield body[:JUMBO_BODY]
        if len(body) < JUMBO_BODY + 4:
            raise ValueError("a jumbogram that ends inside a member")
        flags, spare = struct.unpack(">BB", body[JUMBO_BODY:JUMBO_BODY + 2])
        if spare:
            raise ValueError("a member's header with something in its spare byte")
        body = body[JUMBO_BODY + 4:]
    yield body


def read_data(key, seq, flags, call, service, body):
    global largest
    if seq == 0 or call == 0:
        raise ValueError("data without a number")
    parts = list(members(body)) if flags & JUMBO else [body]
    for offset, part in enumerate(parts):
        largest = max(largest, len(part))
        if (key, seq + offset) in seen:
            again.append(f"call {call} packet {seq + offset} of {key[0]}")
        seen.add((key, seq + offset))
    if seq == 1 and service == AFS:
        what = struct.unpack(">I", body[:4])[0] if flags & CLIENT and len(body) >= 4 else "answer"
        calls.append([key[0][1] == PORT, what, call])


def read_ack(body):
    if len(body) < 18:
        raise ValueError("an ACK that is short")
    space, skew, first, previous, serial, reason, count = struct.unpack(">HHIIIBB", body[:18])
    if not 1 <= reason <= 9 or first == 0:
        raise ValueError("an ACK with a reason or a first packet that is none")
    if any(one > 1 for one in body[18:18 + count]) or len(body) < 18 + count:
        raise ValueError("an ACK with an array that is none")
    rest = body[18 + count:]
    if len(rest) >= 3 and rest[:3] != b"\0\0\0":
        raise ValueError("an ACK with something in its padding")
    if len(rest) >= 19:
        mtu, interface, window, datagrams = struct.unpack(">IIII", rest[3:19])
        if not (1000 <= mtu <= 65535 and 1000 <= interface <= 65535 and 1 <= window <= 255 and 1 <= datagrams <= 255):
            raise ValueError("an ACK with a trailer that makes no sense")


def read_packet(source, target, packet):
    if len(packet) < HEADER:
        raise ValueError("shorter than a header")
    epoch, cid, call, seq, serial, kind, flags, status, security, checksum, service = struct.unpack(
        ">IIIIIBBBBHH", packet[:HEADER])
    if kind not in NAMES:
        raise ValueError(f"a type that is none: {kind}")
    name = ("to " if target == PORT else "from ") + NAMES[kind]
    counts[name] = counts.get(name, 0) + 1
    body = packet[HEADER:]
    if kind == DATA:
        read_data(((source, target), epoch, cid, call, flags & CLIENT), seq, flags, call, service, body)
    elif kind == ACK:
        read_ack(body)
    elif kind == ABORT and len(body) < 4:
        raise ValueError("an ABORT without a code")
    elif kind in (BUSY, ACKALL) and body:
        raise ValueError("a packet with a body that has none")
    if kind not in (DATA, VERSION, DEBUG) and seq != 0:
        raise ValueError("a sequence number of what is no data")
    if serial == 0 and kind not in (ABORT, DEBUG, VERSION):
        raise ValueError("a packet without a serial")


def datagrams(frame):
    """The UDP datagrams of a frame: one, or those that the kernel has yet to cut."""
    flags, kind, header, size, start, offset = struct.unpack("=BBHHHH", frame[:10])
    ip = frame[24:]
    if struct.unpack(">H", frame[22:24])[0] != IPV4 or ip[9] != UDP:
        return
    udp = ip[(ip[0] & 15) * 4:]
    source, target, length = struct.unpack(">HHH", udp[:6])
    if PORT not in (source, target):
        return
    payload = udp[8:] if kind else udp[8:length]
    step = size if kind == GSO_UDP else max(1, len(payload))
    for at in range(0, len(payload), step):
        yield source, target, payload[at:at + step]


def open_wire():
    """Of IPv4 frames those that arrive: on the loopback interface, each packet once."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
    wire.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
    wire.bind(("lo", 0))
    return wire


def end(*_):
    _, dropped = struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    with open(OUTPUT, "w") as output:
        json.dump({"counts": counts, "malformed": malformed, "again": again, "largest": largest, "dropped": dropped,
                   "calls": calls}, output)
    sys.exit(0)


wire = open_wire()
signal.signal(signal.SIGTERM, end)
print("capturing", flush=True)
while True:
    for source, target, packet in datagrams(wire.recv(1 << 17)):
        try:
            read_packet(source, target, packet)
        except ValueError as error:
            malformed.append(f"{error}: {packet[:64].hex()}")
