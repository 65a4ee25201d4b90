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
