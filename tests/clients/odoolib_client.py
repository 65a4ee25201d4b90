"""odoo-client-lib (unmodified, from PyPI), over `jsonrpc` with a password and over `json2` with an API key."""

from urllib.parse import urlsplit

import odoolib
from odoolib.tools import AuthenticationError

from check import check, equal, finish, load_demo, password_of, raises

demo = load_demo()
address = urlsplit(demo["url"])


def connect(protocol, password, login="admin"):
    """A connection of this user."""
    return odoolib.get_connection(
        hostname=address.hostname, port=address.port, protocol=protocol, database=demo["database"], login=login, password=password,
    )


def look_around(name, connection):
    """What both protocols can do."""
    authorizations = connection.get_model("orest.authorization")
    live = [("state", "=", "live")]
    count = authorizations.search_count(live)
    check(f"{name}: counts the live ones", count > 0, count)
    ids = authorizations.search(live, 0, 3, "id asc")
    equal(f"{name}: search takes offset, limit and order", (len(ids), ids), (3, sorted(ids)))
    rows = authorizations.read(ids, ["state", "application_id"])
    equal(f"{name}: read keeps the order", [r["id"] for r in rows], ids)
    one = authorizations.read(ids[0], ["state"])
    equal(f"{name}: one id gives one record", (one["id"], one["state"]), (ids[0], "live"))
    rows = authorizations.search_read(live, ["state"], 0, 2)
    equal(f"{name}: search_read", [r["state"] for r in rows], ["live", "live"])
    check(f"{name}: fields_get", connection.get_model("orest.application").fields_get()["client_id"]["type"] == "char")
    applications = connection.get_model("orest.application")
    created = applications.create({"name": f"odoo-client-lib {name}"})
    new_id = created[0] if isinstance(created, list) else created
    equal(f"{name}: write takes a bare id", applications.write(new_id, {"description": "changed"}), True)
    found = applications.search_read([("id", "=", new_id)], ["description"])
    equal(f"{name}: the change is there", found[0]["description"], "changed")
    equal(f"{name}: unlink", applications.unlink([new_id]), True)
    equal(f"{name}: and it is gone", applications.search([("id", "=", new_id)]), [])
    target = authorizations.search([("state", "=", "live"), ("user_id.login", "not in", ["admin", "alice", "bob"])], 0, 1)
    authorizations.action_revoke_tokens(target)
    equal(f"{name}: action_revoke_tokens", authorizations.read(target[0], ["state"])["state"], "revoked")


by_password = connect("jsonrpc", password_of(demo, "admin"))
by_password.check_login()
check("jsonrpc: signed in", by_password.user_id > 0)
equal("jsonrpc: the context names the user", by_password.get_user_context()["uid"], by_password.user_id)
raises("jsonrpc: a wrong password", AuthenticationError, connect("jsonrpc", "wrong").check_login)
raises("jsonrpc: an error has a message", Exception, by_password.get_model("no.model").search, [], text="Object no.model doesn't exist")
look_around("jsonrpc", by_password)

by_key = connect("json2", demo["api_key"])
check("json2: the API key signs in", by_key.check_login())
look_around("json2", by_key)
equal("json2: a forged key", connect("json2", "0" * 40).check_login(), False)
equal("json2: a password is no key", connect("json2", password_of(demo, "admin")).check_login(), False)
raises("json2: an unknown model is 404", ValueError, by_key.get_model("no.model").search, domain=[], text="Unexpected status code 404")
raises("json2: a missing argument is 422", ValueError, by_key.get_model("orest.authorization").search, text="missing a required argument: 'domain'")
raises("json2: a missing record is 404", ValueError, by_key.get_model("orest.authorization").action_revoke_tokens, ids=[999999999], text="MissingError")
finish()
