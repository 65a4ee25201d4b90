// atlas-app-services-admin-api (unmodified, from npm): sessions, apps, users and keys at the App Services Admin API. The client sends the path of
// its list of users with the placeholders in it, so that one is asked for by plain fetch, with the client's token.

import appServices from "atlas-app-services-admin-api";
import { Browser } from "./browser.mjs";
import { check, equal, finish, loadDemo, passwordOf } from "./check.mjs";

const { AtlasAppServicesClient } = appServices;
const demo = loadDemo();
const baseUrl = `${demo.url}/api/admin/v3.0`;

/** Checks that the call is refused with this status and error code. */
async function refused(what, call, status, code) {
  try {
    const { data } = await call;
    check(what, false, { data });
  } catch (error) {
    equal(what, [error.response?.status, error.response?.data?.error_code], [status, code]);
  }
}

/** Calls as no client does; with what came back, or nothing. */
async function ask(method, path, token, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(baseUrl + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return [answer.status, text ? JSON.parse(text) : undefined];
}

/** Somebody lets the application in: there is an authorization of his that is live. */
async function letIn(application, login) {
  const { client_id, client_secret, redirect_uris: [redirect_uri] } = application;
  const query = new URLSearchParams({ response_type: "code", client_id, redirect_uri });
  const callback = await new Browser(login, passwordOf(demo, login)).authorize(`${demo.url}/oauth2/authorize?${query}`, redirect_uri);
  const body = new URLSearchParams({ grant_type: "authorization_code", code: callback.searchParams.get("code"), redirect_uri });
  const headers = { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` };
  return (await fetch(`${demo.url}/oauth2/token`, { method: "POST", headers, body })).status;
}

// Whatever other scripts have left of the demo.
equal("somebody lets the application in", await letIn(demo.applications.find((application) => application.name === "Confluence Connector"), "ursula"), 200);

const [loggedIn, first] = await ask("POST", "/auth/providers/local-userpass/login", "", { username: "admin", password: passwordOf(demo, "admin") });
equal("signed in by password", loggedIn, 200);
const [, profile] = await ask("GET", "/auth/profile", first.access_token);
equal("the profile lists the one project", profile.roles, [{ group_id: "000000000000000000000001", role_name: "GROUP_OWNER" }]);
const groupId = profile.roles[0].group_id;

const client = new AtlasAppServicesClient({ publicKey: "admin", privateKey: demo.api_key, baseUrl, groupId });
await client.initialize();
equal("initialize: signed in by key", client.userId, profile.user_id);
check("initialize: finds the first app", /^confluence-connector-[a-z]{5}$/.test(client.clientAppId), client.clientAppId);
equal("initialize: of the project", client.groupId, groupId);
const { appId } = client;

const apps = await client.atlasAppsApi();
equal("adminListApplications", (await apps.adminListApplications(groupId)).data.length, demo.applications.length);
equal("adminListApplications of another product", (await apps.adminListApplications(groupId, "standard")).data, []);
equal("adminGetApplication", (await apps.adminGetApplication(groupId, appId)).data.name, "Confluence Connector");
await refused("an unknown app", apps.adminGetApplication(groupId, "0".repeat(24)), 404, "AppNotFound");
await refused("an unknown project", apps.adminGetApplication("x", appId), 404, "GroupNotFound");

const users = await client.atlasUsersApi();
await refused("adminListUsers sends its placeholders", users.adminListUsers(), 404, "GroupNotFound");
/** All users of the app, page by page. */
async function listUsers(query = "") {
  const all = [];
  for (;;) {
    const after = all.length ? `&after=${all.at(-1)._id}` : "";
    const [, page] = await ask("GET", `/groups/${groupId}/apps/${appId}/users?${query}${after}`, client.accessToken);
    all.push(...page);
    if (page.length < 50) return all;
  }
}
const before = await listUsers();
check("users have let it in", before.length > 0 && before.every((user) => user._id && user.data.email), before);
const target = before.find((user) => user.data.name.startsWith("Ursula"));

const email = `carol.${Date.now()}@example.com`;
const carol = (await users.adminCreateUser(groupId, appId, { email, password: "a good one" })).data;
equal("adminCreateUser", [carol.type, carol.data.email, carol.disabled, carol.identities[0].provider_type], ["normal", email, false, "local-userpass"]);
await refused("the same again", users.adminCreateUser(groupId, appId, { email, password: "x" }), 409, "AccountNameInUse");
await refused("no password", users.adminCreateUser(groupId, appId, { email: "x@example.com" }), 400, "MissingParameter");
equal("adminGetUser", (await users.adminGetUser(groupId, appId, carol._id)).data, carol);
equal("the list has one more", (await listUsers()).length, before.length + 1);
equal("filtered by provider", (await listUsers("provider_types=local-userpass")).some((user) => user._id === carol._id), true);
equal("adminListDevices", (await users.adminListDevices(groupId, appId, carol._id)).data, []);
equal("adminDisableUser", (await users.adminDisableUser(groupId, appId, carol._id)).status, 204);
check("filtered by status", (await listUsers("status=disabled")).some((user) => user._id === carol._id));
equal("adminEnableUser", (await users.adminEnableUser(groupId, appId, carol._id)).status, 204);
equal("adminUserLogout", (await users.adminUserLogout(groupId, appId, carol._id)).status, 204);
equal("adminDeleteUser", (await users.adminDeleteUser(groupId, appId, carol._id)).status, 204);
await refused("and he is gone", users.adminGetUser(groupId, appId, carol._id), 404, "UserNotFound");
equal("adminListPendingUsers", (await users.adminListPendingUsers(groupId, appId)).data, []);
await refused("nobody is pending", users.adminDeletePendingEmailPasswordUser(groupId, appId, "bob@example.com"), 404, "UserNotFound");

// Of a user whose tokens are live: they are refused as soon as the call has returned, and nobody else's are.
const live = async (domain) => {
  const headers = { authorization: `Bearer ${client.accessToken}`, "content-type": "application/json" };
  const body = JSON.stringify({ domain: [["state", "=", "live"], ["application_id", "=", parseInt(appId, 16)], ...domain] });
  return (await fetch(`${demo.url}/json/2/orest.authorization/search_count`, { method: "POST", headers, body })).json();
};
const had = await live([["user_id", "=", parseInt(target._id, 16)]]);
check("an access token of the session opens /json/2", had > 0, { target, had });
const all = await live([]);
equal("adminUserLogout", (await users.adminUserLogout(groupId, appId, target._id)).status, 204);
equal("logout ends all of his", await live([["user_id", "=", parseInt(target._id, 16)]]), 0);
equal("and nothing else", await live([]), all - had);

const keys = await client.atlasApikeysApi();
const made = (await keys.adminCreateApiKey(groupId, appId, { name: "nightly job" })).data;
check("adminCreateApiKey shows the key", /^[0-9a-f]{40}$/.test(made.key), made);
const key = { _id: made._id, name: "nightly job", disabled: false };
equal("adminListApiKeys does not", (await keys.adminListApiKeys(groupId, appId)).data, [key]);
equal("adminGetApiKey", (await keys.adminGetApiKey(groupId, appId, made._id)).data, key);
equal("adminDisableApiKey", (await keys.adminDisableApiKey(groupId, appId, made._id)).status, 204);
equal("it is disabled", (await keys.adminGetApiKey(groupId, appId, made._id)).data.disabled, true);
equal("adminEnableApiKey", (await keys.adminEnableApiKey(groupId, appId, made._id)).status, 204);
equal("adminDeleteApiKey", (await keys.adminDeleteApiKey(groupId, appId, made._id)).status, 204);
await refused("and it is gone", keys.adminGetApiKey(groupId, appId, made._id), 404, "APIKeyNotFound");

// The client renews its access token when it thinks that it has expired, and signs in anew when its session has ended.
const [token, refresh] = [client.accessToken, client.refreshToken];
client.tokenExpiration = new Date(0);
const renewed = await client.atlasUsersApi();
check("renews its access token", client.accessToken !== token && client.refreshToken === refresh);
equal("which works", (await renewed.adminGetUser(groupId, appId, target._id)).status, 200);
equal("adminDeleteSession", (await (await client.atlasAdminApi()).adminDeleteSession()).status, 204);
await refused("the session is over", renewed.adminGetUser(groupId, appId, target._id), 401, "InvalidSession");
client.tokenExpiration = new Date(0);
await client.atlasUsersApi();
check("signs in anew", client.refreshToken !== refresh);

const stranger = new AtlasAppServicesClient({ publicKey: "alice", privateKey: demo.api_key, baseUrl, groupId });
await refused("somebody else's key", stranger.initialize(), 401, "Unauthorized");
finish();
