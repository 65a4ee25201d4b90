"""The main job, from the outside: an administrator with OdooRPC takes back who let one application in.

    python main_job.py PATH/TO/orest

Real tokens are given out by the code grant; a selection of them is revoked through the contextual action "Revoke Tokens".
Everything is asked again after a restart, and once more after the server was killed right behind an answer.
"""

import sys
import tempfile
from urllib.parse import urlsplit

import odoorpc

from browser import Browser
from check import check, confidential_applications, equal, finish, password_of
from oauth import introspect, obtain_tokens, refresh
from server import Server

MODEL = "orest.authorization"


class Grant:
    """What the application holds, and whether it may still use it."""

    def __init__(self, base, demo, application, login):
        self.base, self.application, self.login = base, application, login
        tokens = obtain_tokens(base, application, Browser(login, password_of(demo, login)))
        self.access_token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]

    def is_active(self):
        """Whether introspection says that the access token is good."""
        return introspect(self.base, self.application, self.access_token)["active"]

    def refresh_error(self):
        """Exchanges the refresh token: the error, or None and the tokens are the new ones."""
        answer = refresh(self.base, self.application, self.refresh_token)
        if answer.status_code == 200:
            self.access_token, self.refresh_token = answer.json()["access_token"], answer.json()["refresh_token"]
            return None
        return (answer.status_code, answer.json()["error"])


def sign_in(server, demo):
    """OdooRPC as the administrator."""
    odoo = odoorpc.ODOO("127.0.0.1", port=urlsplit(server.url).port)
    odoo.login(demo["database"], "admin", password_of(demo, "admin"))
    return odoo


def check_selection(when, odoo, act, ids, dead, alive):
    """All that must hold of a revoked selection, and of what was not selected."""
    equal(f"{when}: introspection refuses every access token of the selection", [g.is_active() for g in dead], [False] * len(dead))
    equal(f"{when}: /oauth2/token refuses every refresh token of the selection", [g.refresh_error() for g in dead], [(400, "invalid_grant")] * len(dead))
    equal(f"{when}: the other access tokens are good", [g.is_active() for g in alive], [True] * len(alive))
    equal(f"{when}: the other refresh tokens are good", [g.refresh_error() for g in alive], [None] * len(alive))
    rows = odoo.env[MODEL].read(ids, ["state", "revoked_by", "revoked_at", "revocation_id"])
    equal(f"{when}: the records say revoked", [r["state"] for r in rows], ["revoked"] * len(ids))
    equal(f"{when}: by the administrator", {r["revoked_by"] and r["revoked_by"][0] for r in rows}, {odoo.env.uid})
    equal(f"{when}: in this act", {r["revocation_id"] and r["revocation_id"][0] for r in rows}, {act["id"]})
    equal(f"{when}: at the time of the act", {r["revoked_at"] for r in rows}, {act["create_date"]})
    fields = ["create_date", "revoked", "requested", "already_revoked", "user_id", "user_login", "channel", "kind", "initiating_entity"]
    equal(f"{when}: the act is as it was", odoo.env["orest.revocation"].read([act["id"]], fields)[0], act)


def told(action):
    """What the web client shows when it gets this action."""
    return action["params"]["message"] if action and action.get("tag") == "display_notification" else None


def revoke_selection(when, odoo, action, ids):
    """Runs the contextual action on the selection and returns the one act that it left."""
    acts = odoo.env["orest.revocation"]
    before = acts.search([])
    context = {"active_model": MODEL, "active_ids": ids, "active_id": ids[0]}
    answer = odoo.execute_kw("ir.actions.server", "run", [[action]], {"context": context})
    check(f"{when}: the action runs, and tells the user how many", told(answer) == f"{len(ids)} authorizations revoked.", answer)
    new = [i for i in acts.search([]) if i not in before]
    equal(f"{when}: it left one act", len(new), 1)
    fields = ["create_date", "revoked", "requested", "already_revoked", "user_id", "user_login", "channel", "kind", "initiating_entity"]
    act = acts.read(new[:1], fields)[0]
    equal(f"{when}: which counts {len(ids)}", (act["requested"], act["revoked"], act["already_revoked"]), (len(ids), len(ids), 0))
    equal(f"{when}: and names the actor", (act["user_id"][0], act["user_login"], act["initiating_entity"], act["kind"]), (odoo.env.uid, "admin", "admin", "revoke"))
    check(f"{when}: and the door", bool(act["channel"]), act)
    return act


def main(binary, data_dir):
    """The whole story."""
    with Server(binary, data_dir) as server:
        server.start(demo=True)
        demo = server.demo()
        ours, others = confidential_applications(demo)[:2]
        odoo = sign_in(server, demo)
        authorizations = odoo.env[MODEL]

        # Two people let the application in, from three devices each; one of them another application too.
        domain = [("application_id.client_id", "=", ours["client_id"]), ("state", "=", "live")]
        old = authorizations.search(domain)
        grants = [Grant(server.url, demo, ours, login) for login in ("alice", "bob") for _ in range(3)]
        elsewhere = [Grant(server.url, demo, others, "alice") for _ in range(2)]
        ids = sorted(set(authorizations.search(domain)) - set(old))
        equal("six live authorizations of the application are found", len(ids), 6)
        who = [r["user_id"][1] for r in authorizations.read(ids, ["user_id"])]
        check("three of each", len(set(who)) == 2 and who.count(who[0]) == 3, who)
        check("all tokens are good", all(g.is_active() for g in grants + elsewhere))

        # The action is shipped, but stands in no menu until an administrator puts it there.
        actions = odoo.env["ir.actions.server"]
        found = actions.search([("name", "=", "Revoke Tokens")])
        equal("the server action Revoke Tokens is there", len(found), 1)
        action = found[0]

        def bound():
            """The ids of the server actions in the Action menu of the list."""
            return [a["id"] for a in odoo.execute("ir.actions.actions", "get_bindings", MODEL).get("action", [])]

        check("it is shipped unbound", action not in bound(), bound())
        equal("Create Contextual Action", odoo.execute("ir.actions.server", "create_action", [action]), True)
        check("it stands in the Action menu", action in bound(), bound())
        toolbar = odoo.execute_kw(MODEL, "get_views", [[[False, "list"]]], {"options": {"toolbar": True}})["views"]["list"]["toolbar"]
        check("and in the list's toolbar", action in [a["id"] for a in toolbar.get("action", [])], toolbar)

        # Four of the six: the last of each person stays. The order of ids is the order in which they were given.
        dead, alive = [grants[i] for i in (0, 1, 3, 4)], [grants[2], grants[5]] + elsewhere
        selection = [ids[i] for i in (0, 1, 3, 4)]
        act = revoke_selection("at once", odoo, action, selection)
        check_selection("at once", odoo, act, selection, dead, alive)

        equal("the server ends when asked", server.stop(), 0)
        server.start()
        odoo = sign_in(server, demo)
        check_selection("after a restart", odoo, act, selection, dead, alive)

        # A second selection, and the server is killed right behind the answer.
        second = [ids[2]]
        acts = odoo.env["orest.revocation"].search_count([])
        context = {"active_model": MODEL, "active_ids": second}
        answer = odoo.execute_kw("ir.actions.server", "run", [[action]], {"context": context})
        server.kill()
        equal("the second selection was answered", told(answer), "1 authorization revoked.")
        server.start()
        odoo = sign_in(server, demo)
        equal("after SIGKILL: there is one act more", odoo.env["orest.revocation"].search_count([]), acts + 1)
        fields = ["create_date", "revoked", "requested", "already_revoked", "user_id", "user_login", "channel", "kind", "initiating_entity"]
        last = odoo.env["orest.revocation"].search_read([], fields, limit=1, order="sequence desc")[0]
        equal("after SIGKILL: which counts one", (last["requested"], last["revoked"], last["user_login"]), (1, 1, "admin"))
        alive = [grants[5]] + elsewhere
        check_selection("after SIGKILL, second selection", odoo, last, second, [grants[2]], alive)
        check_selection("after SIGKILL, first selection", odoo, act, selection, dead, alive)
        check("after SIGKILL: the action is still bound", action in [a["id"] for a in odoo.execute("ir.actions.actions", "get_bindings", MODEL)["action"]])
        equal("unlink_action takes it out of the menu", odoo.execute("ir.actions.server", "unlink_action", [action]), True)
        check("it is gone from there", action not in [a["id"] for a in odoo.execute("ir.actions.actions", "get_bindings", MODEL).get("action", [])])
        equal("the server ends when asked, again", server.stop(), 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/orest")
    with tempfile.TemporaryDirectory(prefix="orest-main-job-") as folder:
        main(sys.argv[1], folder)
    finish()
