// @fernandoslim/odoo-jsonrpc (unmodified, from npm): with a password in a session, and with an API key.

import odooJsonRpc from "@fernandoslim/odoo-jsonrpc";
import { check, equal, finish, loadDemo, passwordOf, rejects } from "./check.mjs";

const OdooJSONRpc = odooJsonRpc.default ?? odooJsonRpc;
const demo = loadDemo();
const { protocol, hostname, port } = new URL(demo.url);
const connection = { baseUrl: `${protocol}//${hostname}`, port: Number(port), db: demo.database, username: "admin" };
const others = ["user_id.login", "not in", ["admin", "alice", "bob"]];

/** What both ways of signing in can do. */
async function lookAround(name, odoo) {
  const live = await odoo.searchRead("orest.authorization", [["state", "=", "live"]], ["state"], { limit: 3 });
  equal(`${name}: searchRead`, live.map((row) => row.state), ["live", "live", "live"]);
  equal(`${name}: read`, (await odoo.read("orest.authorization", [live[0].id], ["state"]))[0].state, "live");
  equal(`${name}: getFields`, (await odoo.getFields("orest.application")).client_id.type, "char");
  const id = await odoo.create("orest.application", { name: `odoo-jsonrpc ${name}` });
  check(`${name}: create`, Number.isInteger(id), id);
  equal(`${name}: update`, await odoo.update("orest.application", id, { description: "changed" }), true);
  equal(`${name}: the change is there`, (await odoo.read("orest.application", id, ["description"]))[0].description, "changed");
  equal(`${name}: delete`, await odoo.delete("orest.application", id), true);
  equal(`${name}: and it is gone`, await odoo.search("orest.application", [["id", "=", id]]), []);
  const [target] = await odoo.search("orest.authorization", [["state", "=", "live"], others]);
  await odoo.action("orest.authorization", "action_revoke_tokens", [[target]]);
  const [row] = await odoo.read("orest.authorization", [target], ["state", "revoked_by"]);
  equal(`${name}: action_revoke_tokens`, [row.state, row.revoked_by[0]], ["revoked", odoo.uId]);
  await rejects(`${name}: an error has a message`, odoo.search("orest.authorization", [["nope", "=", 1]]), "Invalid field orest.authorization.nope");
}

const session = new OdooJSONRpc({ ...connection, password: passwordOf(demo, "admin") });
const info = await session.connect();
equal("session: signed in", [info.username, info.is_admin], ["admin", true]);
check("session: there is a cookie", session.sessionId.length >= 40);
await lookAround("session", session);

const again = new OdooJSONRpc({ ...connection, sessionId: session.sessionId });
equal("session: goes on in a second client", (await again.connect()).uid, info.uid);
equal("session: ends", await session.disconnect(), true);
await rejects("session: and is over", again.search("orest.authorization", []), "Session expired");

const key = new OdooJSONRpc({ ...connection, apiKey: demo.api_key });
check("apiKey: signed in", (await key.connect()).uid > 0);
await lookAround("apiKey", key);

await rejects("a wrong password", new OdooJSONRpc({ ...connection, username: "bob", password: "wrong" }).connect());
finish();
