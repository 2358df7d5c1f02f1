"""Random changes by sessions and calls with the process killed, stopped and started between them.

After each start: the epoch is the same, nothing that was acknowledged is missing, no transaction is there in part, and
the digest is the one that a client computes for what there should be. FAIRLEAD_TEST_SEED repeats a run,
FAIRLEAD_TEST_SECONDS makes it longer.
"""

import hashlib
import os
import pathlib
import random
import struct
import tempfile
import time

from harness import Fairlead, main, plane
from harness.api import DEADLINE, ApiCase, Session, delete, grpc, management, resources, server, upsert

# What the digest leaves out.
OUTPUT = {"metadata", "status"}


def varint(value):
    text = b""
    while value >= 128:
        text, value = text + bytes([value & 127 | 128]), value >> 7
    return text + bytes([value])


def canonical(message):
    """As GetInfoResponse.digest tells."""
    out = b""
    for field, value in sorted(message.ListFields(), key=lambda entry: entry[0].number):
        if field.name in OUTPUT or (message.DESCRIPTOR.name == "Backend" and field.name == "servers"):
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            entries = ((key.encode(), text.encode()) for key, text in value.items())
            parts = [b"\x0a" + varint(len(key)) + key + b"\x12" + varint(len(text)) + text
                     for key, text in sorted(entries)]
        elif field.label == field.LABEL_REPEATED:
            parts = [part.encode() if isinstance(part, str) else canonical(part) for part in value]
        elif field.message_type:
            inner = canonical(value)
            is_value = field.containing_oneof or field.message_type.full_name == "google.protobuf.Duration"
            parts = [inner] if inner or is_value else []
        elif isinstance(value, str):
            parts = [value.encode()]
        else:
            out += varint(field.number << 3) + varint(value & (1 << 64) - 1)
            continue
        for part in parts:
            out += varint(field.number << 3 | 2) + varint(len(part)) + part
    return out


def digest(whole):
    sums = [0] * 4
    for kind, items in ((1, whole.listeners), (2, whole.backends), (3, whole.servers)):
        for item in items:
            words = struct.unpack("<4Q", hashlib.sha256(bytes([kind]) + canonical(item)).digest())
            sums = [(old + new) % (1 << 64) for old, new in zip(sums, words)]
    return struct.pack("<4Q", *sums)


class World:
    """What there should be: servers by name, whole transactions only."""

    def __init__(self):
        self.servers = {}

    def after(self, operations):
        world = World()
        world.servers = dict(self.servers)
        for operation in operations:
            if operation.HasField("delete"):
                world.servers.pop(operation.delete.server.name, None)
            else:
                written = operation.upsert.server
                world.servers[written.name] = written.SerializeToString(deterministic=True)
        return world

    def __eq__(self, other):
        return self.servers == other.servers


def world_of(whole):
    world = World()
    for item in whole.servers:
        bare = resources.Server()
        bare.CopyFrom(item)
        bare.ClearField("metadata")
        bare.ClearField("status")
        world.servers[item.name] = bare.SerializeToString(deterministic=True)
    return world


class Restarts(ApiCase):
    def draw(self, draw):
        operations = []
        for _ in range(draw.randint(1, 8)):
            name = f"s{draw.randrange(40)}"
            if draw.random() < 0.3:
                operations += delete(name)
            else:
                fields = {"weight": draw.randrange(4)} if draw.random() < 0.5 else {}
                fields["labels"] = {"k": str(draw.randrange(3))}
                operations += upsert(server(name, f"10.0.0.{draw.randint(1, 9)}:80", **fields))
        return operations

    def start_again(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="life", dir=self.folder))
        fairlead = Fairlead(folder, plane([], state_directory=str(self.folder / "state")))
        self.addCleanup(fairlead.kill)
        return fairlead, self.api_of(fairlead)

    def info(self, api):
        return api.management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def life(self, draw, world, number):
        """Changes until the process ends, at any moment; the worlds that may be found by the next one, and the version
        that was told last."""
        fairlead, api = self.start_again()
        info = self.info(api)
        whole, version = api.export()
        self.assertEqual(info.digest, digest(whole))
        self.assertEqual((info.version, info.servers), (version, len(whole.servers)))
        found = world_of(whole)
        self.assertIn(found, world, "neither what was acknowledged nor what may have been taken")
        session = Session(api, f"life-{number}")
        self.assertEqual((session.opened.version, session.opened.digest), (version, info.digest))
        possible, acknowledged = [found], version
        by = {}
        for _ in range(draw.randint(1, 30)):
            operations = self.draw(draw)
            possible.append(possible[-1].after(operations))
            by[session.transaction(operations)] = len(possible) - 1
            if draw.random() < 0.4:
                result = session.read_result()
                self.assertIn(result.outcome, (management.OUTCOME_APPLIED, management.OUTCOME_UNCHANGED))
                acknowledged = result.version
                possible, by = self.settled(possible, by, result.id)
        if draw.random() < 0.3:
            fairlead.stop()
        else:
            fairlead.kill()
        # What was answered before the end counts as well.
        try:
            while True:
                result = session.read_result()
                acknowledged = result.version
                possible, by = self.settled(possible, by, result.id)
        except (grpc.RpcError, StopIteration):
            pass
        session.cancel()
        return possible, info.epoch, acknowledged

    @staticmethod
    def settled(possible, by, last):
        first = by[last]
        return possible[first:], {key: index - first for key, index in by.items() if key > last}

    def test_what_was_acknowledged_is_there_after_every_end(self):
        seed = int(os.environ.get("FAIRLEAD_TEST_SEED") or random.randrange(1 << 32))
        end = time.monotonic() + float(os.environ.get("FAIRLEAD_TEST_SECONDS") or 5)
        draw = random.Random(seed)
        worlds, epochs, versions = [World()], set(), [0]
        with self.subTest(FAIRLEAD_TEST_SEED=seed):
            number = 0
            while time.monotonic() < end or number < 3:
                worlds, epoch, version = self.life(draw, worlds, number)
                epochs.add(epoch)
                self.assertEqual(len(epochs), 1)
                self.assertGreaterEqual(version, versions[-1])
                versions.append(version)
                number += 1


if __name__ == "__main__":
    main()
