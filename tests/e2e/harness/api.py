"""The management API from a second language: stubs made from the schema with the distribution's protoc, when imported."""

import atexit
import os
import queue
import shutil
import sys
import tempfile

from .cases import Case
from .processes import DEADLINE, REPOSITORY, distribution_program, run

# Who is forked here becomes another program at once. gRPC's preparation for one that would not joins threads that wait
# for the interpreter, which the one that forks has.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

try:
    import grpc
    from google import protobuf  # noqa: F401
except ImportError as error:
    raise AssertionError(f"these tests need Debian's python3-grpcio and python3-protobuf ({error}; running in "
                         f"{sys.executable}, should be /usr/bin/python3): run tools/setup test") from None


def _make_stubs():
    folder = tempfile.mkdtemp(prefix="fairlead-stubs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = run(distribution_program("protoc", "protobuf-compiler"), "-I", REPOSITORY / "proto",
               f"--python_out={folder}", f"--grpc_python_out={folder}", "--plugin=protoc-gen-grpc_python="
               + distribution_program("grpc_python_plugin", "protobuf-compiler-grpc"),
               "fairlead/v1/tls.proto", "fairlead/v1/resources.proto", "fairlead/v1/management.proto", "fairlead/v1/observation.proto")
    assert made.returncode == 0, made.stderr
    sys.path.insert(0, folder)


_make_stubs()

# pylint: disable=wrong-import-position
from fairlead.v1 import management_pb2 as management  # noqa: E402
from fairlead.v1 import management_pb2_grpc, observation_pb2_grpc  # noqa: E402
from fairlead.v1 import observation_pb2 as observation  # noqa: E402
from fairlead.v1 import resources_pb2 as resources  # noqa: E402

# gRPC's core ends with the last channel and begins anew with the next one. A late callback of the end's then finds its
# threads gone and aborts the process; so there is always one channel, which nobody uses.
_keeps_grpc = grpc.insecure_channel("unix:/nobody")

__all__ = ["DEADLINE", "Api", "ApiCase", "Session", "delete", "grpc", "management", "observation", "resources", "upsert", "server"]


def server(name, address, backend="app", **fields):
    return resources.Server(backend=backend, name=name, address=address, **fields)


def upsert(*servers):
    return [management.Operation(upsert=management.Resource(server=item)) for item in servers]


def delete(*names, backend="app", **fields):
    return [management.Operation(delete=management.Delete(
        server=management.ServerName(backend=backend, name=name), **fields)) for name in names]


class _Override(grpc.UnaryUnaryClientInterceptor):
    """Calls write whichever session is primary."""

    def intercept_unary_unary(self, continuation, client_call_details, request):
        if "fence" in type(request).DESCRIPTOR.fields_by_name and not request.HasField("fence"):
            fenced = type(request)()
            fenced.CopyFrom(request)
            fenced.fence.override = True
            request = fenced
        return continuation(client_call_details, request)


class Api:
    """A channel to a data plane with both services' stubs. With `override`, calls need no fence.

    `tls`: credentials, with which the data plane's certificate has to be for `server_name`.
    """

    def __init__(self, address, override=True, tls=None, server_name=None):
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1),
                   # Connections of its own: another's may be to a process that is no more.
                   ("grpc.use_local_subchannel_pool", 1)]
        if server_name:
            options.append(("grpc.ssl_target_name_override", server_name))
        self.channel = grpc.secure_channel(address, tls, options) if tls else grpc.insecure_channel(address, options)
        calls = grpc.intercept_channel(self.channel, _Override()) if override else self.channel
        self.management = management_pb2_grpc.ManagementServiceStub(calls)
        self.observation = observation_pb2_grpc.ObservationServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def apply(self, operations, **fields):
        request = management.ApplyTransactionRequest(
            transaction=management.Transaction(id=1, operations=operations, **fields))
        return self.management.ApplyTransaction(request, timeout=DEADLINE).result

    def servers(self, backend="", **fields):
        found = []
        token = ""
        while True:
            answer = self.management.ListServers(
                management.ListServersRequest(backend=backend, page_token=token, **fields), timeout=DEADLINE)
            found += answer.servers
            token = answer.next_page_token
            if not token:
                return found

    def export(self):
        """All resources, and the version that they have."""
        whole = resources.Resources()
        version = None
        for part in self.management.ExportConfig(management.ExportConfigRequest(), timeout=DEADLINE):
            assert version in (None, part.version)
            version = part.version
            whole.MergeFrom(part.resources)
        return whole, version

    def raw(self, method, request=b""):
        """A unary call of bytes, for services whose stubs the distribution does not have."""
        call = self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        return call(request, timeout=DEADLINE)


class Session:
    """StreamUpdates, driven message by message."""

    def __init__(self, api, name="test", **fields):
        self._requests = queue.SimpleQueue()
        self._stream = api.management.StreamUpdates(iter(self._requests.get, None), timeout=4 * DEADLINE)
        self._last_id = 0
        # Events that came between results.
        self.events = []
        if name is not None:
            # Without one it would be an observer; `election_id=None` makes it one.
            fields.setdefault("election_id", management.ElectionId(low=1))
            self.send(open=management.Open(client_name=name, **fields))
            self.opened = self.read().opened

    def send(self, **message):
        self._requests.put(management.StreamUpdatesRequest(**message))

    def begin_resync(self, **fields):
        self._last_id += 1
        self.send(begin_resync=management.BeginResync(id=self._last_id, **fields))
        return self.read_result()

    def end_resync(self, **fields):
        self._last_id += 1
        self.send(end_resync=management.EndResync(id=self._last_id, **fields))
        return self.read_result()

    def transaction(self, operations=(), **fields):
        self._last_id = fields.pop("id", self._last_id + 1)
        self.send(transaction=management.Transaction(id=self._last_id, operations=operations, **fields))
        return self._last_id

    def read(self):
        return next(self._stream)

    def read_result(self):
        while True:
            message = self.read()
            if message.HasField("result"):
                return message.result
            if message.HasField("server_event"):
                self.events.append(message.server_event)

    def read_event(self):
        while not self.events:
            message = self.read()
            if message.HasField("server_event"):
                self.events.append(message.server_event)
        return self.events.pop(0)

    def apply(self, operations, **fields):
        """Sends a transaction and waits for its result."""
        number = self.transaction(operations, **fields)
        result = self.read_result()
        assert result.id == number, (result, number)
        return result

    def end(self):
        """Half-closes, and returns the status when the stream ends."""
        self._requests.put(None)
        return self.status()

    def status(self):
        try:
            for _ in self._stream:
                pass
        except grpc.RpcError as error:
            return error.code(), error.details()
        return self._stream.code(), self._stream.details()

    def cancel(self):
        self._stream.cancel()
        self._requests.put(None)


class ApiCase(Case):
    """Of tests that speak to the API themselves."""

    def start_with_api(self, configuration, **options):
        fairlead = self.start(configuration, **options)
        return fairlead, self.api_of(fairlead)

    def api_of(self, fairlead):
        api = Api(fairlead.management)
        self.addCleanup(api.close)
        return api

    def session(self, api, name="test", **fields):
        session = Session(api, name, **fields)
        self.addCleanup(session.cancel)
        return session

    def assert_refused(self, code, call, request, *parts):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, timeout=DEADLINE)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for part in parts:
            self.assertIn(part, caught.exception.details())
