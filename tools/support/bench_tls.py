"""tools/bench tls: what TLS costs a proxy, for a request on an open connection and for a full handshake."""

import json
import os
import statistics
import subprocess

import proxies
import usage
from processes import Failed, program

PROGRAMS = ["fairlead", "fairlead-origin", "fairlead-tls-load"]
CONNECTIONS = 64
BODY_BYTES = 34
CASES = {"keepalive": [], "handshake": ["--handshakes"]}

FAIRLEAD = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
workers: 1
resources:
  certificates: [{certificate}]
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app, tls: {{certificates: [example]}}}}
  backends:
    - name: app
      servers: [{{name: s1, address: "{server}"}}]
"""

CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
           "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305")

HAPROXY = """\
global
    nbthread 1
    maxconn 1000
    ssl-default-bind-ciphers {ciphers}
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    default_backend app
backend app
    http-reuse always
    server s1 {server}
"""


def make_certificate(folder, kind):
    """For example.com, signed by itself: chain.pem, key.pem, and both.pem for haproxy."""
    options = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}[kind]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", *options, "-days", "30", "-subj", "/CN=example.com",
                    "-addext", "subjectAltName=DNS:example.com", "-keyout", folder / "key.pem", "-out",
                    folder / "chain.pem"], check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "chain.pem").read_text() + (folder / "key.pem").read_text())


def start_fairlead(workshop, server, cpus):
    folder = workshop.folder
    certificate = {"name": "example", "chain": (folder / "chain.pem").read_text(),
                   "private_key": (folder / "key.pem").read_text()}
    configuration = folder / "fairlead.yaml"
    configuration.write_text(FAIRLEAD.format(folder=folder, server=server, certificate=json.dumps(certificate)))
    ready_file = folder / "fairlead.json"
    process = workshop.start("fairlead", [program("fairlead"), f"--config={configuration}",
                                          f"--ready-file={ready_file}"], cpus=cpus)
    return proxies.Proxy("fairlead", process, process.wait_for_file(ready_file)["listeners"]["web"][0])


def start_haproxy(workshop, server, cpus):
    port = proxies.free_port()
    configuration = workshop.folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(folder=workshop.folder, port=port, server=server, ciphers=CIPHERS))
    process = workshop.start("haproxy", [proxies.executable("haproxy"), "-db", "-f", configuration], cpus=cpus)
    proxies.wait_for_port(process, f"127.0.0.1:{port}")
    return proxies.Proxy("haproxy", process, f"127.0.0.1:{port}")


def start_nginx(workshop, server, cpus):
    port = proxies.free_port()
    folder = workshop.folder
    text = proxies.NGINX_HTTP.format(folder=folder, port=port, server=server, module="",
                                     user="user root;" if os.geteuid() == 0 else "")
    text = text.replace(f"listen 127.0.0.1:{port};", f"""listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/chain.pem;
        ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {CIPHERS};
        ssl_prefer_server_ciphers off;
        ssl_session_cache off;""")
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    process = workshop.start("nginx", [proxies.executable("nginx"), "-p", folder, "-c", configuration], cpus=cpus)
    proxies.wait_for_port(process, f"127.0.0.1:{port}")
    return proxies.Proxy("nginx", process, f"127.0.0.1:{port}")


def run_load(workshop, proxy, case, seconds, cpus):
    load = workshop.start("tls-load", [
        program("fairlead-tls-load"), f"--target={proxy.address}", f"--duration={seconds}s",
        f"--connections={CONNECTIONS}", *CASES[case]], cpus=cpus, stdout=subprocess.PIPE)
    output, _ = load.child.communicate()
    workshop.processes.remove(load)
    if load.child.returncode != 0:
        raise Failed(f"fairlead-tls-load failed:\n{load.log_tail()}")
    return json.loads(output)


def measure(workshop, proxy, case, seconds, cpus):
    proxy.process.check_running()
    before = usage.ProcessorTime(proxy.pid)
    summary = run_load(workshop, proxy, case, seconds, cpus)
    total, _, _ = usage.ProcessorTime(proxy.pid).since(before)
    if summary["failed"] > 0 or summary["completed"] == 0:
        raise Failed(f"{proxy.name}: {summary['failed']} requests failed, {summary['completed']} did not")
    return {"cpu_us": total / summary["completed"], "requests_per_second": summary["rate"]}


def tls(workshop, arguments, say, split_processors):
    proxy_cpus, other_cpus = split_processors()
    make_certificate(workshop.folder, arguments.key)
    server = proxies.start_origin(workshop, "origin", other_cpus, [f"--body-bytes={BODY_BYTES}"])
    started = [start(workshop, server, proxy_cpus) for start in (start_fairlead, start_haproxy, start_nginx)]
    runs = {case: {proxy.name: [] for proxy in started} for case in CASES}
    for case in CASES:
        for proxy in started:
            run_load(workshop, proxy, case, 1, other_cpus)  # warms up
    for number in range(arguments.rounds):
        say(f"round {number + 1} of {arguments.rounds}")
        shift = number % len(started)
        for proxy in started[shift:] + started[:shift]:
            for case in CASES:
                runs[case][proxy.name].append(measure(workshop, proxy, case, arguments.seconds, other_cpus))
    result = {"bench": "tls", "rounds": arguments.rounds, "seconds": arguments.seconds, "connections": CONNECTIONS,
              "key": arguments.key, "failed": 0, "proxies": {}}
    for proxy in started:
        result["proxies"][proxy.name] = {
            case: {key: round(statistics.median(run[key] for run in runs[case][proxy.name]), 3)
                   for key in ("cpu_us", "requests_per_second")} for case in CASES}
    for other in ("haproxy", "nginx"):
        result[f"vs_{other}"] = {
            case: round(statistics.median(own["cpu_us"] / its["cpu_us"] for own, its in
                                          zip(runs[case]["fairlead"], runs[case][other])), 3) for case in CASES}
    return result


def print_tls(result):
    print(f"\n{'':<10}{'CPU us a request':>18}{'a handshake':>14}{'requests/s':>12}{'handshakes/s':>14}")
    for name, row in result["proxies"].items():
        print(f"{name:<10}{row['keepalive']['cpu_us']:>18.2f}{row['handshake']['cpu_us']:>14.1f}"
              f"{row['keepalive']['requests_per_second']:>12,.0f}{row['handshake']['requests_per_second']:>14,.0f}")
    for other in ("haproxy", "nginx"):
        print(f"vs_{other}: " + ", ".join(f"{case} {value:.3f}" for case, value in result[f"vs_{other}"].items()))
