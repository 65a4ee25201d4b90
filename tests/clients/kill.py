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


def main(binary, data_dir, rounds, seed):
    """Rounds of revoke, kill, restart, compare."""
    rng = random.Random(seed)
    unclear = cut_short = 0
    with Server(binary, data_dir) as server:
        server.start(demo=True)
        demo = server.demo()
        application = confidential_applications(demo)[0]
        rpc = Rpc(server.url, demo)
        known = rpc.kw("orest.revocation", "search_count", [])
        held = {}

        for number in range(1, rounds + 1):
            # Some real tokens among them, so that introspection can be asked too.
            before = set(rpc.kw(MODEL, "search", []))
            tokens = [
                obtain_tokens(server.url, application, Browser("alice", password_of(demo, "alice")))["access_token"]
                for _ in range(LIVE_TOKENS_A_ROUND)
            ]
            held.update(zip(sorted(set(rpc.kw(MODEL, "search", [])) - before), tokens, strict=True))
            live = rpc.kw(MODEL, "search", [["state", "=", "live"]], limit=60, order="id desc")
            rng.shuffle(live)
            revoker = Revoker(rpc, live, random.Random(rng.random()))
            revoker.start()
            time.sleep(rng.uniform(0.0, 0.15))
            server.kill()
            revoker.join()
            if revoker.error:
                check(f"round {number}: the calls were answered", False, revoker.error)
            server.start()
            rpc = Rpc(server.url, demo)

            # Whole or not at all: an act that was not answered has all of its ids or none.
            states = {r["id"]: r for r in rpc.kw(MODEL, "read", live, ["state", "revocation_id"])}
            whole = all(
                len({states[i]["revocation_id"][0] for i in ids if states[i]["revocation_id"]}) == 1
                and all(states[i]["state"] == "revoked" for i in ids)
                for ids in revoker.answered
            )
            check(f"round {number}: the {len(revoker.answered)} acts that were answered are there, each whole", whole, revoker.answered)
            last = revoker.asked or []
            cut_short += bool(last)
            done = [states[i]["state"] == "revoked" for i in last]
            check(f"round {number}: the one that was cut short is there whole or not at all", all(done) or not any(done), last)
            unclear += bool(last) and all(done)
            untouched = set(live) - set(last) - {i for ids in revoker.answered for i in ids}
            check(f"round {number}: the rest is live", all(states[i]["state"] == "live" for i in untouched))

            # The acts tell the same story.
            expected = len(revoker.answered) + (1 if last and all(done) else 0)
            fields = ["revoked", "requested", "authorization_ids", "sequence"]
            acts = rpc.kw("orest.revocation", "search_read", [], fields, order="sequence desc", limit=expected) if expected else []
            count = rpc.kw("orest.revocation", "search_count", [])
            equal(f"round {number}: one act each", count - known, expected)
            known = count
            stories = [sorted(ids) for ids in revoker.answered] + ([sorted(last)] if last and all(done) else [])
            equal(f"round {number}: with these authorizations, in this order", [sorted(a["authorization_ids"]) for a in reversed(acts)], stories)
            check(f"round {number}: and these counts", all(a["revoked"] == a["requested"] == len(a["authorization_ids"]) for a in acts), acts)
            rows = {r["id"]: r["state"] for r in rpc.kw(MODEL, "read", list(held), ["state"])}
            wrong = [i for i, token in held.items() if introspect(server.url, application, token)["active"] != (rows[i] == "live")]
            equal(f"round {number}: introspection says the same of {len(held)} tokens", wrong, [])
        equal("the server ends when asked", server.stop(), 0)
    print(f"# {cut_short} of {rounds} kills cut a call short; {unclear} of these had been committed")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/orest [ROUNDS [SEED]]")
    rounds_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    chosen = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(2**32)
    print(f"# seed {chosen}", flush=True)
    with tempfile.TemporaryDirectory(prefix="orest-kill-") as folder:
        main(sys.argv[1], folder, min(rounds_wanted, 100), chosen)
    finish()
