"""OdooRPC (unmodified, from PyPI): sign in, look around, write, revoke, make an API key."""

from urllib.parse import urlsplit

import odoorpc
from odoorpc.error import RPCError

from check import check, equal, finish, load_demo, password_of, raises

demo = load_demo()
host, port, database = urlsplit(demo["url"]).hostname, urlsplit(demo["url"]).port, demo["database"]


def sign_in(login, password=None):
    """A connection of this user."""
    connection = odoorpc.ODOO(host, port=port)
    connection.login(database, login, password or password_of(demo, login))
    return connection


# Who is there.
odoo = odoorpc.ODOO(host, port=port)
check("the server claims series 19.0", odoo.version.startswith("19.0"), odoo.version)
check("db.list names the database", database in odoo.db.list())
raises("a wrong password is refused", RPCError, odoo.login, database, "admin", "wrong", text="Wrong login ID or password")
raises("an empty password is refused", odoorpc.error.Error, odoo.login, database, "admin", False)
raises("an unknown database is an error", RPCError, odoo.login, "no-such-db", "admin", "admin", text="does not exist")

odoo = sign_in("admin")
env = odoo.env
equal("env.user is the administrator", env.user.login, "admin")
equal("env.db is the database", env.db, database)
check("the context has lang, tz and uid", {"lang", "tz", "uid"} <= set(env.context), env.context)
equal("env.ref finds a user by external id", env.ref("base.user_admin").id, env.uid)
raises("env.ref refuses an unknown external id", RPCError, env.ref, "orest.no_such_record", text="External ID not found")
check("a served model is in env", "orest.authorization" in env)
check("another is not", "res.partner.bank" not in env)

# Every declared field of every model can be read, for OdooRPC asks for all of them at once.
models = env["ir.model"].search_read([("abstract", "=", False)], ["model", "transient"])
check("ir.model lists the models", {"orest.application", "orest.authorization", "orest.revocation", "res.users"} <= {m["model"] for m in models}, models)
for name in sorted(m["model"] for m in models if not m["transient"]):
    fields = set(env[name].fields_get())
    ids = env[name].with_context(active_test=False).search([], limit=3)
    rows = env[name].read(ids)
    check(f"{name}: read gives all {len(fields)} fields", all(set(row) == fields for row in rows), [set(row) ^ fields for row in rows])
    try:
        for record in env[name].browse(ids) if ids else ():
            for field in fields:
                getattr(record, field)
        check(f"{name}: browse reads every field of {len(ids)} records", True)
    except Exception as error:
        check(f"{name}: browse reads every field", False, f"{type(error).__name__}: {error}")

# Searching.
authorizations = env["orest.authorization"]
everything = authorizations.with_context(active_test=False)
total = everything.search_count([])
check("the demo has 200 authorizations", total >= 200, total)
states = {state: everything.search_count([("state", "=", state)]) for state in ("live", "expired", "revoked")}
equal("each has one of three states", sum(states.values()), total)
check("there are some in every state", all(states.values()), states)
check("at least 60 are live", states["live"] >= 60, states)
first, second = authorizations.search([], limit=5), authorizations.search([], offset=3, limit=2)
equal("offset and limit cut the same list", first[3:5], second)
dates = [r["create_date"] for r in authorizations.search_read([], ["create_date"], limit=20, order="create_date asc, id asc")]
equal("order is kept", dates, sorted(dates))
equal("null, false and 0 mean no limit", len(odoo.execute("orest.authorization", "search", [], 0, False, None)), authorizations.search_count([]))
equal(
    "a domain with &, | and ! is understood",
    everything.search_count(["!", "|", ("state", "=", "live"), ("state", "=", "expired")]), states["revoked"],
)
users_of_alice = everything.search_count([("user_id.login", "=", "alice")])
equal("a dotted path and a name find the same", everything.search_count([("user_id", "any", [("login", "=", "alice")])]), users_of_alice)
groups = everything.read_group([], ["state"], ["state"])
equal("read_group counts the same", {g["state"]: g["state_count"] for g in groups}, {s: n for s, n in states.items() if n})
named = odoo.execute_kw("orest.authorization", "search_read", [], {"domain": [["state", "=", "live"]], "fields": ["state", "application_id"], "limit": 2})
check("execute_kw takes named arguments", len(named) == 2 and all(r["state"] == "live" and len(r["application_id"]) == 2 for r in named), named)
application_name = demo["applications"][0]["name"]
check("name_search finds an application", application_name in [n for _, n in env["orest.application"].name_search(application_name)])

# Writing.
applications = env["orest.application"]
client_id = "odoorpc-check"
leftover = applications.with_context(active_test=False).search([("name", "like", "OdooRPC check")])
if leftover:
    applications.unlink(leftover)
new_id = applications.create({"name": "OdooRPC check", "client_id": client_id, "scope": "read"})
check("create answers with an id", isinstance(new_id, int), new_id)
application = applications.browse(new_id)
equal("durations have their defaults", (application.authorization_code_expiry, application.access_token_expiry, application.refresh_token_expiry), (600, 3600, 0))
application.description = "written by an attribute"
equal("an attribute writes through", applications.read([new_id], ["description"])[0]["description"], "written by an attribute")
uri_id = env["orest.application.uri"].create({"application_id": new_id, "uri": "http://127.0.0.1/odoorpc-check"})
equal("one2many shows the URI", applications.read([new_id], ["uri_ids"])[0]["uri_ids"], [uri_id])
before = applications.with_context(active_test=False).search_count([])
raises("a name twice is refused", RPCError, applications.create, {"name": "OdooRPC check"}, text="An application with this name exists already.")
raises("a client id twice is refused", RPCError, applications.create, {"name": "OdooRPC check 2", "client_id": client_id}, text="An application with this client ID exists already.")
raises("a URI twice is refused", RPCError, env["orest.application.uri"].create, {"application_id": new_id, "uri": "http://127.0.0.1/odoorpc-check"}, text="This URI is registered already.")
raises("a name is needed", RPCError, applications.create, {"description": "none"}, text="name")
raises("an unknown field is refused", RPCError, applications.create, {"name": "x", "nope": 1}, text="Invalid field 'nope'")
raises("an unknown reference is refused", RPCError, applications.create, {"name": "OdooRPC check 3", "model_scheme_id": 999999})
equal("nothing was written by any of these", applications.with_context(active_test=False).search_count([]), before)
copied = odoo.execute_kw("orest.application", "copy", [[new_id]])
copied_ids = copied if isinstance(copied, list) else [copied]
copy = applications.read(copied_ids, ["name", "client_id"])[0]
check("copy has a name and a client id of its own", copy["name"] != "OdooRPC check" and copy["client_id"] != client_id, copy)
equal("unlink deletes", applications.unlink([new_id] + copied_ids), True)
equal("and they are gone", applications.with_context(active_test=False).search([("id", "in", [new_id] + copied_ids)]), [])

# Revoking: the button, the waste bin, and what is refused.
revocations = env["orest.revocation"]
live = authorizations.search([("state", "=", "live"), ("user_id.login", "not in", ["admin", "alice", "bob"])], limit=4)
acts = revocations.search_count([])
authorizations.action_revoke_tokens(live[:2])
rows = authorizations.read(live[:2], ["state", "revoked_by", "revoked_at", "revocation_id"])
check("action_revoke_tokens revokes", all(r["state"] == "revoked" and r["revoked_by"][0] == env.uid and r["revoked_at"] for r in rows), rows)
equal("one act for both", (revocations.search_count([]), len({r["revocation_id"][0] for r in rows})), (acts + 1, 1))
act = revocations.read([rows[0]["revocation_id"][0]], ["revoked", "already_revoked", "user_login", "kind"])[0]
equal("the act counts two", (act["revoked"], act["already_revoked"], act["user_login"], act["kind"]), (2, 0, "admin", "revoke"))
try:
    authorizations.action_revoke_tokens(live[:3])
    act = revocations.search_read([], ["revoked", "already_revoked"], limit=1, order="sequence desc")[0]
    equal("already revoked ones are counted as such", (act["revoked"], act["already_revoked"]), (1, 2))
except RPCError as error:
    check("already revoked ones are no error", False, error)
acts = revocations.search_count([])
raises("an id that does not exist is refused", RPCError, authorizations.action_revoke_tokens, [live[3], 999999999], text="Record does not exist or has been deleted.")
equal("and nothing changed", (authorizations.read([live[3]], ["state"])[0]["state"], revocations.search_count([])), ("live", acts))
equal("the waste bin answers true", authorizations.unlink([live[3]]), True)
equal("the record left the list", authorizations.search([("id", "=", live[3])]), [])
kept = everything.read([live[3]], ["state", "active"])[0]
equal("but stays in the log, revoked", (kept["state"], kept["active"]), ("revoked", False))
raises("an authorization can't be written", RPCError, authorizations.write, [live[0]], {"state": "live"})
raises("nor made by hand", RPCError, authorizations.create, {"application_id": 1})
raises("a revocation can't be written", RPCError, revocations.write, [act["id"]], {"reason_admin": "other"})
raises("nor deleted", RPCError, revocations.unlink, [act["id"]])

# Errors come as Odoo's own.
raises("search without a domain", RPCError, odoo.execute, "orest.authorization", "search", text="missing 1 required positional argument: 'domain'")
raises("search with a text for a domain", RPCError, odoo.execute, "orest.authorization", "search", "False")
raises("an unknown model", RPCError, odoo.execute, "no.model", "search", [], text="Object no.model doesn't exist")
raises("an unknown method", RPCError, odoo.execute, "orest.authorization", "no_method", [], text="The method 'orest.authorization.no_method' does not exist")
raises("a private method", RPCError, odoo.execute, "orest.authorization", "_search", [], text="cannot be called remotely")
raises("an unknown field in a domain", RPCError, authorizations.search, [("nope", "=", 1)], text="Invalid field orest.authorization.nope")
raises("an unknown operator", RPCError, authorizations.search, [("state", "~~", 1)], text="Invalid operator")
try:
    authorizations.search([("nope", "=", 1)])
except RPCError as error:
    data = error.info["data"]
    check("the error object has all five members", set(data) == {"name", "message", "arguments", "context", "debug"}, data)
    equal("and names the exception", data["name"], "builtins.ValueError")

# A plain user sees and revokes what is his own, and no secret.
alice = sign_in("alice")
own = alice.env["orest.authorization"].with_context(active_test=False).search_read([], ["user_id"])
check("alice sees her authorizations", len(own) > 0)
equal("and no one else's", {r["user_id"][0] for r in own}, {alice.env.uid})
of_bob = everything.search([("user_id.login", "=", "bob"), ("state", "=", "live")], limit=1)
raises("alice can't read one of bob's", RPCError, alice.env["orest.authorization"].read, of_bob)
raises("nor revoke it", RPCError, alice.env["orest.authorization"].action_revoke_tokens, of_bob)
raises("nor throw it away", RPCError, alice.env["orest.authorization"].unlink, of_bob)
equal("bob's is live still", everything.read(of_bob, ["state"])[0]["state"], "live")
raises("alice can't read server actions", RPCError, alice.env["ir.actions.server"].search, [], text="You are not allowed to access")
raises("nor make an application", RPCError, alice.env["orest.application"].create, {"name": "hers"}, text="You are not allowed to create")
mine = alice.env["orest.authorization"].search([("state", "=", "live")], limit=1, order="id")
alice.env["orest.authorization"].action_revoke_tokens(mine)
equal("alice revokes her own", alice.env["orest.authorization"].read(mine, ["state"])[0]["state"], "revoked")
act = revocations.search_read([], ["user_id", "initiating_entity", "revoked"], limit=1, order="sequence desc")[0]
equal("the act names her", (act["user_id"][0], act["initiating_entity"], act["revoked"]), (alice.env.uid, "user", 1))

# An API key, made as the web client does, because the password must be confirmed in a session.
odoo.json("/web/session/authenticate", {"db": database, "login": "admin", "password": password_of(demo, "admin")})


def button(model, method, ids, **context):
    """Presses a button of the session."""
    kwargs = {"context": {**env.context, **context}}
    return odoo.json("/web/dataset/call_button", {"model": model, "method": method, "args": [ids], "kwargs": kwargs})["result"]


wizard = env["res.users.apikeys.description"].create({"name": "OdooRPC check"})
action = button("res.users.apikeys.description", "make_key", [wizard])
equal("a key needs the password again", action["res_model"], "res.users.identitycheck")
identity_check = env["res.users.identitycheck"].browse(action["res_id"])
identity_check.password = password_of(demo, "admin")
action = button("res.users.identitycheck", "run_check", [identity_check.id], password=password_of(demo, "admin"))
equal("then it is shown", action["res_model"], "res.users.apikeys.show")
key = action["context"]["default_key"]
with_key = sign_in("admin", key)
equal("OdooRPC signs in with the key", with_key.env.user.login, "admin")
raises("the key is no password of a session", RPCError, odoo.json, "/web/session/authenticate", {"db": database, "login": "admin", "password": key}, text="Access Denied")
rows = env["res.users.apikeys"].search_read([("name", "=", "OdooRPC check")], [])
check("the key itself can't be read", rows and key not in str(rows))

equal("logout", odoo.logout(), True)
finish()
