"""Values of every field of every resource, to set it to in turn: none of them harms a request."""

from google.protobuf.message import Message

# Each is set to both in turn, on top of what identifies the resource.
SERVER = {"weight": (3, 7), "max_connections": (100, 200), "min_connections": (50, 60), "admin_state": (1, None), "health_check.disabled": (True, False), "health_check.track": ("app/s2", ""), "priority": (3, 0), "backup": (True, None), "labels": ({"zone": "a"}, {"zone": "b", "x": ""})}
BACKEND = {
    "on_marked_down": (2, 1, 0), "on_marked_up": (2, 1, 0),
    "connection_pool.purge_delay": ("0.2s", "0s"), "connection_pool.min_idle": (1, 4),
    "connection_pool.warm": (2, 0), "connection_pool.transparent": (None,), "outlier_detection.observe": (2, 1), "outlier_detection.consecutive_errors": (0, 7),
    "outlier_detection.consecutive_gateway_errors": (7, 0), "outlier_detection.interval": ("0.02s", "0.05s"),
    "outlier_detection.success_rate.min_requests": (1, 5), "outlier_detection.success_rate.min_servers": (1, 2),
    "outlier_detection.success_rate.deviation_percent": (100, 300), "outlier_detection.failure_percentage.threshold": (1, 50),
    "outlier_detection.failure_percentage.min_requests": (1, 7), "outlier_detection.failure_percentage.min_servers": (1, 2),
    "outlier_detection.base_ejection_time": ("0.1s", "1s"), "outlier_detection.max_ejection_time": ("10s", "5s"),
    "outlier_detection.max_ejected_percent": (100, 10), "outlier_detection.return_by_check": (False, True),
    "outlier_detection.success_rate": (None,), "outlier_detection.failure_percentage": (None,),
    "balance.hash.key": ("{path}", "{source}"), "balance.algorithm": (3, 1, 2, 4, 5, 6, 7, 8, 10), "balance.hash.type": (1, 2, 3, 4),
    "balance.hash.table_size": (251, 1009), "balance.hash.balance_factor": (125, 200), "balance.draws": (1, 3), "balance.peak_ewma.decay": ("1s", "2s"),
    "balance.prequal.pool_size": (4, 8), "balance.prequal.probes": (1, 2), "balance.prequal.hot_percent": (50, 90),
    "balance.prequal.probe_age": ("2s", "3s"), "server_defaults.weight": (2, 5),
    "server_defaults.max_connections": (100, 200), "timeouts.connect": ("3s", "4s"),
    "timeouts.response": ("20s", "40s"), "timeouts.idle": ("50s", "70s"), "retry.attempts": (1, 3),
    "retry.conditions": ([3], [5, 6]), "retry.statuses": ([500], [502, 503]), "retry.non_idempotent": (True, None),
    "retry.per_try_timeout": ("20s", "30s"), "retry.back_off.base": ("0.1s", "0.2s"), "retry.back_off.max": ("0.3s", "0.4s"), "retry.budget_percent": (20, 50), "retry.hedge_after": ("0.02s", "10s"),
    "failover.overprovisioning": (100, 200), "failover.backups": (2, 1), "failover.panic_threshold": (50, 0),
    "failover.zones.prefer_near": (True, None), "failover.zones.label": ("rack", ""), "failover.zones.min_near": (2, 1),
    "slow_start.window": ("1s", "2s"), "slow_start.exponent": (2, 1), "slow_start.min_percent": (50, 10),
    "persistence.cookie.name": ("A", "B"), "persistence.cookie.mode": (3, 1), "persistence.cookie.secret": ("x", "y"),
    "persistence.cookie.indirect": (True, None), "persistence.cookie.nocache": (True, None),
    "persistence.cookie.path": ("/a", "/b"), "persistence.cookie.domain": ("a.example", "b.example"),
    "persistence.cookie.secure": (True, None), "persistence.cookie.http_only": (True, None),
    "persistence.cookie.same_site": (1, 2), "persistence.cookie.max_age": ("60s", "90s"),
    "persistence.cookie.max_idle": ("60s", "90s", None), "persistence.cookie.max_life": ("1s", "90s", None),
    "discovery.srv": ("_a._tcp.invalid", "_b._tcp.invalid"),
    "discovery.max_servers": (5, 10), "discovery.also": (["_c._tcp.invalid"], ["_d._tcp.invalid", "e.invalid"]), "discovery": (None,),
    "persistence.table.key": ("{source}", "{path}"), "persistence.table.max_entries": (10, 20),
    "persistence.table.expire": ("5s", "6s"),
    "drain.timeout": ("10s", "60s"), "drain.jitter": ("1s", "2s"), "connection_pool.idle_timeout": ("20s", "40s"),
    "connection_pool.max_idle": (100, 300), "connection_pool.reuse": (2, 3),
    "connection_pool.max_requests": (1000000, 0), "connection_pool.source_address": ("127.0.0.1", ""),
    "server_defaults.min_connections": (50, 60), "server_defaults.full_connections": (10, 20),
    "circuit.max_requests": (1000, 2000), "circuit.max_retries": (10, 20), "circuit.max_connections": (100000, 200000), "tcp.keep_alive.time": ("60s", None), "tcp.keep_alive.interval": ("10s", None),
    "tcp.keep_alive.probes": (3, 4), "tcp.user_timeout": ("20s", None), "queue.max_waiting": (10, 0), "queue.max_waiting_per_server": (10, 0), "queue.timeout": ("1s", "2s"), "labels": ({"tier": "a"}, {}),
}
# Set while the backend's servers are checked, at servers that do nothing else.
CHECK = {
    "health_check.grpc.service": ("a", ""), "health_check.grpc.authority": ("a.example", ""),
    "health_check.http.path": ("/a", "/b"), "health_check.http.method": (2, 1), "health_check.http.host": ("a.example", ""),
    "health_check.http.headers": ({"X-A": "b"}, {}), "health_check.http.expected_statuses": ([(200, 299)], []),
    "health_check.http.body_contains": ("check", ""), "health_check.interval": ("4s", "3s"),
    "health_check.fast_interval": ("0.01s", "0.03s"), "health_check.down_interval": ("0.01s", "0.02s"),
    "health_check.timeout": ("2.5s", "3s"), "health_check.rise": (1, 3), "health_check.fall": (50, 100),
    "health_check.initial_state": (2, 1), "health_check.proxy_header": (1, 2, 0),
    "outlier_detection.on_error": (2, 3, 4, 1), "health_check.agent.send": ("a", "b"), "health_check.agent.interval": ("1s", "2s"), "health_check.agent": (None,),
}
LISTENER = {
    "routes": ([{"pathPrefix": "/api", "backend": "app", "priority": 2, "rateLimit": {"requests": 1000000},
                "rewrite": {"path_prefix": "/"}, "request_headers": {"remove": ["X-A"]},
                "response_headers": {"set": [{"name": "X-B", "value": "b"}]}}],
               [{"hosts": ["a.example"], "backend": "app", "rewrite": {"host": "b.example"}}]),
    "timeouts.request_head": ("5s", "20s"), "timeouts.keep_alive": ("30s", "90s"), "timeouts.idle": ("30s", "90s"),
    "max_connections": (500, 1000), "http.max_head_bytes": (8192, 16384), "http.max_headers": (50, 200),
    "http.forwarded": (2, 3, 4), "http.path.dot_segments": (2, 3), "http.path.repeated_slashes": (2, 3),
    "http.path.encoded_slashes": (2, 3), "http.path.escapes": (2, 3), "http.quirks": ([1], [3, 2]),
    "http.forwarded_format": (2, 3), "http.trusted_hops": (1, 2), "http.max_body_bytes": (1 << 30, 1 << 40),
    "error_pages": ([{"statuses": [503], "body": "later"}], [{"statuses": [500], "content_type": "a/b"}]),
    "rate_limit.requests": (1000000, 900000), "rate_limit.per": ("0.5s", "1s"),
    "rate_limit.burst": (1000000, 800000), "client_rate_limit.limit.requests": (1000000, 900000),
    "client_rate_limit.limit.per": ("0.5s", "1s"), "client_rate_limit.limit.burst": (1000000, 800000),
    "client_rate_limit.max_addresses": (64, 1000), "labels": ({"side": "out"}, {}),
    "timeouts.proxy_header": ("1s", "2s"), "proxy_protocol": ({"trusted": ["10.0.0.0/8"], "allow_others": True}, None),
    "access": ({"rules": [{"action": 2, "networks": ["10.0.0.0/8"]}]}, None), "access.otherwise": (1, 0), "max_connections_per_client": (1000, 0), "minimum_rates.head": (1, 0),
    "minimum_rates.body": (1, 0), "minimum_rates.send": (1, 0), "minimum_rates.grace": ("10s", "20s"),
    "tcp.keep_alive.time": ("60s", "90s", None), "tcp.keep_alive.interval": ("10s", "20s", None), "tcp.keep_alive.probes": (3, 4),
    "tcp.user_timeout": ("20s", "30s", None), "tcp.backlog": (100, 200), "tcp.defer_accept": ("1s", "2s", None), "tcp.fast_open": (10, 0),
}


def with_field(item, path, value):
    """`item` with the field of this path set; unset for None."""
    *parents, last = path.split(".")
    target = item
    for parent in parents:
        target = getattr(target, parent)
    if value is None:
        return item
    if isinstance(value, str) and isinstance(getattr(target, last), str):
        setattr(target, last, value)
    elif isinstance(value, str):
        getattr(target, last).FromJsonString(value)
    elif isinstance(value, dict) and isinstance(getattr(target, last), Message):
        getattr(target, last).CopyFrom(type(getattr(target, last))(**value))
    elif isinstance(value, dict):
        getattr(target, last).update(value)
    elif isinstance(value, Message):
        getattr(target, last).CopyFrom(value)
    elif last == "expected_statuses":
        for first, until in value:
            target.expected_statuses.add(first=first, last=until)
    elif isinstance(value, list) and (not value or isinstance(value[0], (int, str))):
        getattr(target, last).extend(value)
    elif last == "error_pages":
        for entry in value:
            target.error_pages.add(**entry)
    elif isinstance(value, list):
        for entry in value:
            getattr(target, last).add(hosts=entry.get("hosts", []), path_prefix=entry.get("pathPrefix", ""),
                                      backend=entry["backend"], priority=entry.get("priority"), rate_limit=entry.get("rateLimit"),
                                      rewrite=entry.get("rewrite"), request_headers=entry.get("request_headers"),
                                      response_headers=entry.get("response_headers"))
    else:
        setattr(target, last, value)
    return item
