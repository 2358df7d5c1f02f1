"""A file and several data planes: the sample control plane keeps them equal to it, and proves it by digest."""

import json
import os

from harness import DEADLINE, Case, Fairlead, main, program, wait_until
from harness.api import Api, delete, management, server, upsert
from harness.certificates import Authority


def configuration(servers, listener="web", **backend):
    """The file's resources. `servers`: weights by name."""
    return {
        "listeners": [{"name": listener, "bind": ["127.0.0.1:0"], "protocol": "HTTP", "default_backend": "app"}],
        "backends": [{"name": "app", **backend, "servers": [
            {"name": name, "address": f"10.0.{int(name[1:]) // 250}.{1 + int(name[1:]) % 250}:80", "weight": weight}
            for name, weight in servers.items()]}],
    }


class Mirroring(Case):
    def setUp(self):
        super().setUp()
        self.apis = {}
        self.file = self.folder / "servers.yaml"
        self.events_file = self.folder / "events.jsonl"
        self.planes = [self.start_plane("a"), self.start_plane("b")]

    def start_plane(self, name):
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        fairlead = Fairlead(folder, {"resources": {}})
        self.addCleanup(fairlead.kill)
        return fairlead

    def write(self, content):
        # As editors do: beside it, then in its place.
        beside = self.folder / "servers.yaml.new"
        beside.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        os.rename(beside, self.file)

    def controller(self, *arguments, name="controller"):
        return self.start_process(name, [
            program("fairlead-autoscaler"), "--source=file", f"--file={self.file}", "--refresh=100ms",
            *[f"--dataplane={plane.management}" for plane in self.planes], *arguments])

    def info(self, plane):
        return self.api_of(plane).management.GetInfo(management.GetInfoRequest(), timeout=DEADLINE)

    def servers(self, plane):
        return {found.name: found for found in self.api_of(plane).servers("app")}

    def api_of(self, plane):
        if plane not in self.apis:
            self.apis[plane] = Api(plane.management)
            self.addCleanup(self.apis[plane].close)
        return self.apis[plane]

    def events(self, name):
        lines = self.events_file.read_text().splitlines() if self.events_file.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def wait_for_sync(self, count):
        """Both data planes have what the file names, `count` servers, and equal digests."""
        def equal():
            infos = [self.info(plane) for plane in self.planes]
            wanted = self.events("file_loaded")[-1]["digest"] if self.events("file_loaded") else None
            return all(info.digest.hex() == wanted and info.servers == count for info in infos)

        wait_until(equal, f"two data planes with {count} servers")

    def by_hand(self, plane, operations):
        """A person's word, whoever is primary."""
        api = self.api_of(plane)
        answer = api.management.ApplyTransaction(management.ApplyTransactionRequest(
            transaction=management.Transaction(id=1, operations=operations),
            fence=management.Fence(override=True)), timeout=DEADLINE)
        self.assertEqual(answer.result.outcome, management.OUTCOME_APPLIED, answer.result)

    def metadata(self, plane):
        return {name: (found.metadata.uid, found.metadata.version) for name, found in self.servers(plane).items()}

    def test_data_planes_become_equal_and_stay_so(self):
        servers = {f"s{index}": 1 + index % 10 for index in range(400)}
        self.write(configuration(servers))
        controller = self.controller(f"--events={self.events_file}")
        self.wait_for_sync(400)
        before = [self.metadata(plane) for plane in self.planes]

        # Some are added, one changes, some go: nothing else is touched.
        servers |= {f"s{index}": 5 for index in range(400, 450)}
        servers["s7"] = 100
        for index in range(100, 120):
            del servers[f"s{index}"]
        self.write(configuration(servers))
        self.wait_for_sync(430)
        for plane, known in zip(self.planes, before):
            now = self.metadata(plane)
            self.assertEqual({name for name in now if name in known and now[name] != known[name]}, {"s7"})

        # One data plane dies and comes back with nothing.
        untouched = self.info(self.planes[1]).version
        self.planes[0].kill()
        self.planes[0] = self.start_plane("a")
        self.wait_for_sync(430)
        self.assertEqual(self.info(self.planes[1]).version, untouched)

        # Somebody changes one by hand.
        known = self.metadata(self.planes[1])
        self.by_hand(self.planes[1], upsert(server("s3", "10.9.9.3:80"), server("stranger", "10.9.9.9:80")) + delete("s4"))
        self.wait_for_sync(430)
        wait_until(lambda: self.events("in_sync")[-1]["dataplane"] == self.planes[1].management, "the repair")
        now = self.metadata(self.planes[1])
        self.assertEqual({name for name in now if now[name] != known[name]}, {"s3", "s4"})
        self.assertIn("app/s", self.events("differs")[0]["why"])

        # A file that does not parse: the last good one stays, and the line is told.
        version = self.info(self.planes[0]).version
        self.write("backends:\n- name: app\n  sevrers: []\n")
        wait_until(lambda: self.events("file_refused"), "the refusal")
        self.assertIn("servers.yaml:3: backends[0]: unknown field \"sevrers\"", self.events("file_refused")[0]["why"])
        # Too much would go at once.
        self.write(configuration({name: weight for name, weight in servers.items() if name < "s2"}))
        wait_until(lambda: len(self.events("refused")) >= 2, "the guard")
        self.assertIn("servers of backend app, more than 50%", self.events("refused")[0]["why"])
        self.assertEqual(self.info(self.planes[0]).version, version)
        controller.stop()

    def test_once_is_for_scripts(self):
        self.write(configuration({f"s{index}": 1 for index in range(300)}))
        self.assertEqual(self.controller("--once").wait(), 0)
        self.assertEqual({self.info(plane).servers for plane in self.planes}, {300})
        # Again: everything is there, nothing changes.
        versions = [self.info(plane).version for plane in self.planes]
        self.assertEqual(self.controller("--once").wait(), 0)
        self.assertEqual([self.info(plane).version for plane in self.planes], versions)
        # What cannot be: a weight out of range, which only the data plane knows.
        self.write(configuration({"s0": 300}))
        refused = self.controller("--once")
        self.assertEqual(refused.wait(), 1)
        self.assertIn("weight: 300", refused.log.text())
        self.assertEqual({self.info(plane).servers for plane in self.planes}, {300})
        self.planes[1].kill()
        unreachable = self.controller("--once", "--timeout=1s")
        self.assertEqual(unreachable.wait(), 1)
        self.assertIn(f"not in sync: {self.planes[0].management}", unreachable.log.text())

    def test_what_the_file_spells_in_its_own_way_is_in_sync(self):
        self.write("""
            listeners:
            - {name: web, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app, routes: [
                {path_prefix: /old, redirect: {host: new.example, status: 308}},
                {path_prefix: /health, respond: {status: 200, body: fine}},
                {path_prefix: /x, backend: app, rewrite: {}}]}
            backends:
            - name: app
              connection_pool: {source_address: '2001:DB8::0:1'}
              servers:
              - {name: s1, address: 'App.Internal.:80'}
              - {name: s2, address: '10.0.0.1:80', health_check: {agent: {address: '[2001:DB8::0:1]:1'}}}
            """)
        for _ in range(2):
            self.assertEqual(self.controller("--once").wait(), 0)
        routes = self.api_of(self.planes[0]).export()[0].listeners[0].routes
        self.assertEqual((routes[0].redirect.status, routes[1].respond.status), (308, 200))
        self.assertEqual(len({self.info(plane).digest for plane in self.planes}), 1)

    def test_certificates_are_kept_equal_as_well(self):
        authority = Authority(self.folder)

        def write(*issued):
            content = configuration({"s0": 1})
            content["certificates"] = [one.fields(f"c{number}") for number, one in enumerate(issued)]
            if issued:
                content["listeners"][0]["tls"] = {"certificates": [f"c{number}" for number in range(len(issued))]}
            self.write(content)
            return content

        def names(plane):
            listed = self.api_of(plane).management.ListCertificates(
                management.ListCertificatesRequest(), timeout=DEADLINE).certificates
            return {found.name: found.metadata.version for found in listed}

        first, second = authority.issue("a.example"), authority.issue("b.example")
        content = write(first, second)
        self.assertEqual(self.controller("--once").wait(), 0)
        self.assertEqual([set(names(plane)) for plane in self.planes], [{"c0", "c1"}] * 2)
        before = [names(plane) for plane in self.planes]

        # As an export has it: keys are not shown, and stay.
        for fields in content["certificates"]:
            del fields["private_key"]
        self.write(content)
        self.assertEqual(self.controller("--once").wait(), 0)
        self.assertEqual([names(plane) for plane in self.planes], before)

        # One is renewed.
        write(first, authority.issue("b.example"))
        self.assertEqual(self.controller("--once").wait(), 0)
        for plane, known in zip(self.planes, before):
            self.assertEqual({name for name, version in names(plane).items() if version != known[name]}, {"c1"})
        # Nobody needs them any more.
        write(first)
        self.assertEqual(self.controller("--once").wait(), 0)
        write()
        self.assertEqual(self.controller("--once").wait(), 0)
        self.assertEqual([names(plane) for plane in self.planes], [{}, {}])

    def test_of_two_controllers_the_newer_wins(self):
        self.write(configuration({f"s{index}": 1 for index in range(200)}))
        older = self.controller(f"--events={self.events_file}", "--election-id=10", name="older")
        self.wait_for_sync(200)
        newer_file = self.folder / "newer.yaml"
        newer_file.write_text(json.dumps(configuration({f"s{index}": 1 for index in range(150)})))
        self.file = newer_file
        newer = self.controller("--election-id=11", name="newer")
        wait_until(lambda: {self.info(plane).servers for plane in self.planes} == {150}, "the newer one's file")
        wait_until(lambda: len({event["dataplane"] for event in self.events("standby")}) == 2, "the older one's standby")
        versions = [self.info(plane).version for plane in self.planes]
        # Whatever its file says now, the older one writes no more.
        self.file = self.folder / "servers.yaml"
        self.write(configuration({f"s{index}": 1 for index in range(201)}))
        wait_until(lambda: len(self.events("file_loaded")) == 2, "the older one's file")
        ended = self.controller("--once", "--election-id=10", name="third")
        self.assertEqual(ended.wait(), 1)
        self.assertEqual([self.info(plane).version for plane in self.planes], versions)
        self.assertEqual(self.controller("--exit-when-superseded", "--election-id=9", name="fourth").wait(), 3)
        self.assertTrue(older.is_running())
        older.stop()
        newer.stop()


if __name__ == "__main__":
    main()
