"""tools/bench tls: what TLS costs a proxy, for a request on an open connection and for a full handshake."""

import json
import os
import subprocess

import comparison
import proxies
from comparison import BODY_BYTES, CONNECTIONS
from processes import program

PROGRAMS = ["fairlead", "fairlead-origin", "fairlead-tls-load"]
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


def certificate_in(folder):
    """What make_certificate() made there, as a configuration has it."""
    return {"name": "example", "chain": (folder / "chain.pem").read_text(),
            "private_key": (folder / "key.pem").read_text()}


def start_fairlead(workshop, server, cpus):
    folder = workshop.folder
    certificate = certificate_in(folder)
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


def tls(workshop, arguments, say):
    proxy_cpus, other_cpus = comparison.split_processors(say)
    make_certificate(workshop.folder, arguments.key)
    server = proxies.start_origin(workshop, "origin", other_cpus, [f"--body-bytes={BODY_BYTES}"])
    started = [start(workshop, server, proxy_cpus) for start in (start_fairlead, start_haproxy, start_nginx)]

    def load(proxy, case, seconds):
        return comparison.run_load(workshop, other_cpus, "fairlead-tls-load", f"--target={proxy.address}",
                                   f"--duration={seconds}s", f"--connections={CONNECTIONS}", *CASES[case])

    runs = comparison.run_rounds(arguments, say, started, CASES, load)
    return {"bench": "tls", "rounds": arguments.rounds, "seconds": arguments.seconds, "connections": CONNECTIONS,
            "key": arguments.key, "failed": 0, **comparison.by_case(runs)}


print_tls = comparison.print_by_case
