"""Odooly (unmodified, from PyPI), over session RPC and over `/jsonrpc`."""

import odooly

from check import check, equal, finish, load_demo, password_of, raises

demo = load_demo()
password = password_of(demo, "admin")


def look_around(name, client):
    """What both transports can do."""
    env = client.env
    equal(f"{name}: signed in", env.user.login, "admin")
    live = env["orest.authorization"].search(["state = live"], limit=4, order="id")
    equal(f"{name}: a domain in words", set(live.state), {"live"})
    check(f"{name}: search_count", env["orest.authorization"].search_count(["state = live"]) >= 4)
    record = live[0]
    check(f"{name}: a many2one is followed", bool(record.application_id.name), record)
    check(f"{name}: display_name", record.application_id.name in str(record.display_name), record.display_name)
    rows = env["orest.authorization"].read(["state = live"], "state application_id", limit=2)
    equal(f"{name}: read by domain", [r["state"] for r in rows], ["live", "live"])
    check(f"{name}: every field of a record", set(record.read()) >= {"id", "state", "user_id", "revocation_id"})
    check(f"{name}: access", env["orest.authorization"].access("read"))
    check(f"{name}: models by pattern", "orest.authorization" in str(env.models("orest.")))
    application = env["orest.application"].create({"name": f"Odooly {name}"})
    application.write({"description": "changed"})
    equal(f"{name}: create and write", env["orest.application"].get(application.id).description, "changed")
    application.unlink()
    equal(f"{name}: unlink", env["orest.application"].search([f"name = Odooly {name}"]).ids, [])
    target = env["orest.authorization"].search(["state = live", "user_id.login not in ('admin', 'alice', 'bob')"], limit=2)
    ids = target.ids  # a search is not carried out before it must be, and then anew each time
    env["orest.authorization"].browse(ids).action_revoke_tokens()
    equal(f"{name}: action_revoke_tokens", set(env["orest.authorization"].browse(ids).state), {"revoked"})
    raises(f"{name}: an unknown field", odooly.ServerError, lambda: env["orest.authorization"].search(["nope = 1"]).ids, text="nope")


look_around("session", odooly.Client(demo["url"], db=demo["database"], user="admin", password=password))
look_around("jsonrpc", odooly.Client(demo["url"] + "/jsonrpc", db=demo["database"], user="admin", password=password))
raises("a wrong password", odooly.Error, odooly.Client, demo["url"], db=demo["database"], user="bob", password="wrong", text="Invalid username or password")
finish()
