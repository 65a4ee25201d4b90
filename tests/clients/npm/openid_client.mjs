// openid-client (unmodified, from npm): discovery, PKCE, refresh, revocation, introspection, client credentials.

import * as client from "openid-client";
import { Browser } from "./browser.mjs";
import { check, equal, finish, loadDemo, passwordOf, rejects } from "./check.mjs";

const demo = loadDemo();
const application = demo.applications.find((app) => app.client_secret && app.redirect_uris.length > 0);
const publicApplication = demo.applications.find((app) => !app.client_secret);

/** openid-client as this application; `http` is for this machine only. */
const configure = (app, authentication) =>
  client.discovery(new URL(demo.url), app.client_id, app.client_secret ?? undefined, authentication, {
    algorithm: "oauth2",
    execute: [client.allowInsecureRequests],
  });

/** Tokens by the code grant, given by this person. */
async function grant(config, app, login, decision) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: app.redirect_uris[0],
    scope: app.scope,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  const callback = await new Browser(login, passwordOf(demo, login)).authorize(url, app.redirect_uris[0], decision);
  return client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state });
}

for (const [name, authentication] of [["Basic", client.ClientSecretBasic(application.client_secret)], ["form", client.ClientSecretPost(application.client_secret)]]) {
  const config = await configure(application, authentication);
  const metadata = config.serverMetadata();
  equal(`${name}: discovery`, metadata.issuer.replace(/\/$/, ""), demo.url);

  const tokens = await grant(config, application, "alice");
  check(`${name}: the code grant`, tokens.access_token && tokens.refresh_token && tokens.expiresIn() > 3500, tokens);
  const seen = await client.tokenIntrospection(config, tokens.access_token);
  equal(`${name}: introspection`, [seen.active, seen.username, seen.client_id], [true, "alice", application.client_id]);

  const fresh = await client.refreshTokenGrant(config, tokens.refresh_token);
  check(`${name}: the refresh token rotates`, fresh.refresh_token && fresh.refresh_token !== tokens.refresh_token);
  equal(`${name}: the new access token is active`, (await client.tokenIntrospection(config, fresh.access_token)).active, true);

  await client.tokenRevocation(config, fresh.refresh_token, { token_type_hint: "refresh_token" });
  equal(`${name}: revoked`, await client.tokenIntrospection(config, fresh.access_token), { active: false });
  await rejects(`${name}: and can't be refreshed`, client.refreshTokenGrant(config, fresh.refresh_token), "invalid_grant");

  const own = await client.clientCredentialsGrant(config, { scope: application.scope });
  equal(`${name}: client credentials`, (await client.tokenIntrospection(config, own.access_token)).active, true);
  check(`${name}: and no refresh token`, own.refresh_token === undefined);
}

const config = await configure(application);
await rejects("the person says no", grant(config, application, "bob", "deny"), "access_denied");
await rejects("a wrong secret", client.clientCredentialsGrant(await configure({ ...application, client_secret: "wrong" }), {}), "401");
const tokens = await grant(await configure(publicApplication, client.None()), publicApplication, "bob");
check("a public client needs no secret", tokens.access_token !== undefined);
finish();
