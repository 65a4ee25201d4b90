"""SIGKILL at random moments while authorizations are revoked: each act is there whole or not at all, and what was answered is true.

    python kill.py PATH/TO/orest [ROUNDS [SEED]]
"""

import random
import sys
import tempfile
import threading
import time

import requests

from browser import Browser
from check import check, confidential_applications, equal, finish, password_of
from oauth import introspect, obtain_tokens
from server import Server

MODEL = "orest.authorization"
SELECTION_MAX = 4
REVOKERS = 4
LIVE_TOKENS_A_ROUND = 2


class Rpc:
    """JSON-RPC as the administrator, over one connection."""

    def __init__(self, url, demo):
        self.url, self.database, self.password = url, demo["database"], password_of(demo, "admin")
        self.session = requests.Session()
        self.uid = self.call("common", "login", self.database, "admin", self.password)

    def call(self, service, method, *args):
        """One call; its result."""
        body = {"jsonrpc": "2.0", "method": "call", "id": 1, "params": {"service": service, "method": method, "args": args}}
        answer = self.session.post(f"{self.url}/jsonrpc", json=body, timeout=30).json()
        if answer.get("error"):
            raise RuntimeError(answer["error"]["data"]["message"])
        return answer.get("result")

    def kw(self, model, method, *args, **kwargs):
        """A method of a model."""
        return self.call("object", "execute_kw", self.database, self.uid, self.password, model, method, args, kwargs)


class Revoker(threading.Thread):
    """Revokes one selection after the other until the server is gone, and remembers what it asked for and what was answered."""

    def __init__(self, rpc, ids, rng):
        super().__init__()
        self.rpc, self.ids, self.rng = rpc, list(ids), rng
        self.answered, self.asked, self.error = [], None, None

    def run(self):
        while self.ids:
            size = self.rng.randint(1, SELECTION_MAX)
            self.asked, self.ids = self.ids[:size], self.ids[size:]
            try:
                self.rpc.kw(MODEL, "action_revoke_tokens", self.asked)
            except requests.RequestException:
                return
            except Exception as error:  # told by the round that follows
                self.error = error
                return
            self.answered.append(self.asked)
            self.asked = None


def count_of_acts(rpc):
    """How many acts there are."""
    return rpc.kw("orest.revocation", "search_count", [])


def main(binary, data_dir, rounds, seed):
    """Rounds of revoke, kill, restart, compare."""
    rng = random.Random(seed)
    unclear = cut_short = 0
    with Server(binary, data_dir) as server:
        server.start(demo=True)
        demo = server.demo()
        application = confidential_applications(demo)[0]
        rpc = Rpc(server.url, demo)
        known = count_of_acts(rpc)
        held = {}

        for number in range(1, rounds + 1):
            # Some real tokens among them, so that introspection can be asked too.
            before = set(rpc.kw(MODEL, "search", []))
            tokens = [
                obtain_tokens(server.url, application, Browser("alice", password_of(demo, "alice")))["access_token"]
                for _ in range(LIVE_TOKENS_A_ROUND)
            ]
            held.update(zip(sorted(set(rpc.kw(MODEL, "search", [])) - before), tokens, strict=True))
            live = rpc.kw(MODEL, "search", [["state", "=", "live"]], limit=40, order="id desc")
            rng.shuffle(live)
            revokers = [Revoker(Rpc(server.url, demo), live[n::REVOKERS], random.Random(rng.random())) for n in range(REVOKERS)]
            for revoker in revokers:
                revoker.start()
            time.sleep(rng.uniform(0.0, 0.05))
            server.kill()
            for revoker in revokers:
                revoker.join()
            errors = [revoker.error for revoker in revokers if revoker.error]
            check(f"round {number}: no call was answered with an error", not errors, errors)
            answered = [ids for revoker in revokers for ids in revoker.answered]
            cut = [revoker.asked for revoker in revokers if revoker.asked]
            server.start()
            rpc = Rpc(server.url, demo)

            # Whole or not at all: an act that was not answered has all of its ids or none.
            states = {r["id"]: r for r in rpc.kw(MODEL, "read", live, ["state", "revocation_id"])}
            whole = all(
                len({states[i]["revocation_id"][0] for i in ids if states[i]["revocation_id"]}) == 1
                and all(states[i]["state"] == "revoked" for i in ids)
                for ids in answered
            )
            check(f"round {number}: the {len(answered)} acts that were answered are there, each whole", whole, answered)
            done = [{states[i]["state"] for i in ids} for ids in cut]
            check(f"round {number}: the {len(cut)} that were cut short are there whole or not at all", all(len(d) == 1 for d in done), cut)
            committed = [ids for ids, states_of in zip(cut, done, strict=True) if states_of == {"revoked"}]
            cut_short, unclear = cut_short + len(cut), unclear + len(committed)
            untouched = set(live) - {i for ids in answered + cut for i in ids}
            check(f"round {number}: the rest is live", all(states[i]["state"] == "live" for i in untouched))

            # The acts tell the same story.
            expected = len(answered) + len(committed)
            fields = ["revoked", "requested", "authorization_ids", "sequence"]
            acts = rpc.kw("orest.revocation", "search_read", [], fields, order="sequence desc", limit=expected) if expected else []
            count = count_of_acts(rpc)
            equal(f"round {number}: one act each", count - known, expected)
            known = count
            stories = sorted(sorted(ids) for ids in answered + committed)
            equal(f"round {number}: with these authorizations", sorted(sorted(a["authorization_ids"]) for a in acts), stories)
            sequences = [a["sequence"] for a in acts]
            equal(f"round {number}: and numbers without a gap", sequences, list(range(count, count - expected, -1)))
            check(f"round {number}: and these counts", all(a["revoked"] == a["requested"] == len(a["authorization_ids"]) for a in acts), acts)
            rows = {r["id"]: r["state"] for r in rpc.kw(MODEL, "read", list(held), ["state"])}
            wrong = [i for i, token in held.items() if introspect(server.url, application, token)["active"] != (rows[i] == "live")]
            equal(f"round {number}: introspection says the same of {len(held)} tokens", wrong, [])
        equal("the server ends when asked", server.stop(), 0)
    print(f"# {cut_short} calls were cut short; {unclear} of these had been committed")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/orest [ROUNDS [SEED]]")
    rounds_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    chosen = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    print(f"# seed {chosen}", flush=True)
    with tempfile.TemporaryDirectory(prefix="orest-kill-") as folder:
        main(sys.argv[1], folder, min(rounds_wanted, 100), chosen)
    finish()
