"""Real tokens: applications that an administrator registers in Odoo, and people who let them in through Odoo's pages."""

from browser import Browser
from lab import json_rpc
from oauth import obtain_tokens

AGENTS = {
    "firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "phone": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
}


class OdooBrowser(Browser):
    """A person's browser, who signs in and consents in Odoo."""

    decision_field = "answer"

    def __init__(self, login, password, agent):
        super().__init__(login, password)
        self.session.headers["User-Agent"] = AGENTS[agent]


def register(trial, name, scope, redirect_uri, description=""):
    """Registers an application in Odoo, as its administrator, with a secret."""
    call = lambda *arguments: trial.rpc("admin", "admin", "orest.application", *arguments)  # noqa: E731
    made = call("create", {"name": name, "scope": scope, "description": description, "uri_ids": [[0, 0, {"uri": redirect_uri}]]})
    secret = call("action_generate_secret", [made])["client_secret"]
    client_id = call("read", [made], ["client_id"])[0]["client_id"]
    return {"id": made, "name": name, "client_id": client_id, "client_secret": secret, "redirect_uris": [redirect_uri], "scope": scope}


def grant(trial, application, login, agent="firefox"):
    """Lets an application in: tokens, and the number of the authorization."""
    tokens = obtain_tokens(trial.service.url, application, OdooBrowser(login, login, agent))
    found = trial.rpc(
        "admin", "admin", "orest.authorization", "search_read",
        [("user_id.login", "=", login), ("application_id", "=", application["id"])], ["id"], 0, 1, "id desc",
    )
    uid = json_rpc(trial.odoo.url, "common", "login", trial.name, login, login)
    return {
        "login": login, "uid": uid, "application": application["name"], "id": found[0]["id"],
        "access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"],
    }


# The company of `populate`: applications, and who lets which of them in from where.
APPLICATIONS = [
    ("Sales Dashboard", "rpc.read", "https://dashboard.example.com/callback", "Reads orders every night for the board's figures."),
    ("Warehouse Scanner", "rpc profile", "http://127.0.0.1:9002/callback", "The phones in the warehouse."),
    ("Confluence Connector", "profile rpc sale.read", "https://wiki.example.com/callback", ""),
    ("Payroll Export", "attendance.read", "https://payroll.example.com/callback", "Fetches attendances once a month."),
]
GRANTS = [("alice", 0, "firefox"), ("alice", 1, "phone"), ("bob", 2, "chrome"), ("erin", 0, "chrome"), ("erin", 3, "phone"), ("mallory", 2, "firefox")]


def populate(trial, past):
    """Fills the service through its doors: applications, devices, codes, authorizations in every state, acts and an undo."""
    trial.synchronise()
    applications = [register(trial, *application) for application in APPLICATIONS]
    grants = [grant(trial, applications[which], login, agent) for login, which, agent in GRANTS]
    trial.orest("demo", "--authorizations", past, "--data-dir", trial.service.data_dir)

    def call(model, method, *arguments, login="admin", **keywords):
        return trial.rpc(login, login, model, method, *arguments, **keywords)

    scheme = call("orest.model.scheme", "create", {"name": "Partners only", "model_limit": "whitelist"})
    call("orest.model.configuration", "create", {"scheme_id": scheme, "model": "res.partner", "field_limit": "none"})
    call("orest.model.configuration", "create", {"scheme_id": scheme, "model": "res.users", "field_limit": "blacklist", "field_names": "signature"})
    call("orest.application", "write", [applications[2]["id"]], {"model_scheme_id": scheme})
    call("orest.application", "write", [applications[1]["id"]], {"uri_ids": [[0, 0, {"uri": "com.example.scanner:/callback"}]]})
    call("orest.application", "create", {"name": "Old Importer", "scope": "rpc", "active": False})
    ids = call("orest.authorization", "search", [("state", "!=", "revoked")], order="id")
    call("orest.authorization", "action_revoke_tokens", ids[::7], reason="connector compromised, ticket 4711", reason_user="a connector was compromised")
    mistaken = call("orest.authorization", "action_revoke_tokens", ids[1::11], reason="wrong filter")
    call("orest.revocation", "action_undo", [mistaken["revocation_id"]], reason="wrong filter")
    call("orest.authorization", "unlink", [grants[0]["id"]], login="alice")
    call("orest.authorization", "action_revoke_tokens", [grants[1]["id"]], login="alice")
    call("orest.authorization", "unlink", ids[2::31])
    return grants
