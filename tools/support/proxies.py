"""Fairlead, haproxy and nginx with equal settings: one thread, keep-alive on both sides, no logging, one server, which is
told the same of the client by each (X-Forwarded-For, X-Forwarded-Proto)."""

import os
import pathlib
import shutil
import socket
import time

from processes import Failed, program

FAIRLEAD = """\
management: {{listen: ["unix:{folder}/management.sock"]}}
workers: {workers}
resources:
  listeners:
    - {{name: web, bind: ["127.0.0.1:0"], protocol: {protocol}, default_backend: app}}
  backends:
    - name: app
      servers: [{servers}]
"""

HAPROXY = """\
global
    nbthread 1
    maxconn 1000
defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:{port}
    {frontend}
    default_backend app
backend app
    {backend}
    server s1 {server}
"""

HAPROXY_HTTP_FRONTEND = """option forwardfor
    http-request set-header X-Forwarded-Proto http"""

NGINX_MAIN = """\
{module}
worker_processes 1;
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1000; }}
"""

NGINX_HTTP = NGINX_MAIN + """\
http {{
    access_log off;
    client_max_body_size 0;
    proxy_request_buffering off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    keepalive_requests 1000000000;
    upstream app {{ server {server}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }}
    }}
}}
"""

NGINX_TCP = NGINX_MAIN + """\
stream {{
    server {{ listen 127.0.0.1:{port}; proxy_pass {server}; }}
}}
"""

NGINX_STREAM_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")


class Proxy:
    def __init__(self, name, process, address):
        self.name = name
        self.process = process
        self.address = address
        self.pid = process.pid


def free_port():
    """haproxy and nginx cannot say which port they took, so one that was free a moment ago has to do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(process, address, seconds=10):
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + seconds
    while True:
        process.check_running()
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise Failed(f"{process.name} does not listen on {address}:\n{process.log_tail()}") from None
            time.sleep(0.05)


def executable(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Failed(f"{name} is not installed; tools/setup bench installs it")
    return path


def start_fairlead(workshop, protocol, servers, workers=1, cpus=None):
    folder = workshop.folder
    entries = ", ".join(f'{{name: base{number}, address: "{address}"}}' for number, address in enumerate(servers, 1))
    configuration = folder / "fairlead.yaml"
    configuration.write_text(FAIRLEAD.format(folder=folder, protocol=protocol, workers=workers, servers=entries))
    ready_file = folder / "fairlead.json"
    process = workshop.start("fairlead", [program("fairlead"), f"--config={configuration}",
                                          f"--ready-file={ready_file}"], cpus=cpus)
    return Proxy("fairlead", process, process.wait_for_file(ready_file)["listeners"]["web"][0])


def start_haproxy(workshop, protocol, server, cpus):
    port = free_port()
    mode = protocol.lower()
    configuration = workshop.folder / "haproxy.cfg"
    configuration.write_text(HAPROXY.format(mode=mode, port=port, server=server,
                                            frontend=HAPROXY_HTTP_FRONTEND if mode == "http" else "",
                                            backend="http-reuse always" if mode == "http" else ""))
    process = workshop.start("haproxy", [executable("haproxy"), "-db", "-f", configuration], cpus=cpus)
    wait_for_port(process, f"127.0.0.1:{port}")
    return Proxy("haproxy", process, f"127.0.0.1:{port}")


def start_nginx(workshop, protocol, server, cpus):
    port = free_port()
    template = NGINX_HTTP if protocol == "HTTP" else NGINX_TCP
    configuration = workshop.folder / "nginx.conf"
    configuration.write_text(template.format(
        folder=workshop.folder, port=port, server=server, user="user root;" if os.geteuid() == 0 else "",
        module=f"load_module {NGINX_STREAM_MODULE};" if protocol == "TCP" else ""))
    process = workshop.start("nginx", [executable("nginx"), "-p", workshop.folder, "-c", configuration], cpus=cpus)
    wait_for_port(process, f"127.0.0.1:{port}")
    return Proxy("nginx", process, f"127.0.0.1:{port}")


def start_origin(workshop, name, cpus=None, flags=(), **options):
    ready_file = workshop.folder / f"{name}.json"
    process = workshop.start(name, [program("fairlead-origin"), f"--ready-file={ready_file}", *flags], cpus=cpus,
                             **options)
    return process.wait_for_file(ready_file)["listen"]
