"""What the end-to-end tests are written with: real processes, raw connections, scripted servers, the API's stubs."""

from .cases import DEADLINE, Case, main, plane
from .connection import Connection, Response, fetch, get, is_refused, wait_until
from .nameserver import NXDOMAIN, REFUSED, SERVFAIL, Nameserver
from .origins import Origin, Request, ScriptedOrigin, may_vanish, response
from .processes import Fairlead, Process, program, run
from .rows import proves

__all__ = [
    "DEADLINE", "NXDOMAIN", "REFUSED", "SERVFAIL", "Case", "Connection", "Fairlead", "Nameserver", "Origin", "Process", "Request", "Response", "ScriptedOrigin", "fetch",
    "get", "is_refused", "main", "may_vanish", "plane", "program", "proves", "response", "run", "wait_until",
]
