// What the journeys share: a browser, one person's page in it, checks, screenshots, and Odoo's RPC.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

/** Where everything is, and who may sign in. */
export const stage = JSON.parse(readFileSync(process.argv[2], "utf8"));

let failed = 0;

/** Counts one check. `detail` tells what was seen instead. */
export function check(what, holds, detail) {
  if (!holds) failed += 1;
  console.log(`${holds ? "ok" : "not ok"} - ${what}`);
  if (!holds && detail !== undefined) console.log(`#   ${typeof detail === "string" ? detail : JSON.stringify(detail)}`);
  return Boolean(holds);
}

/** Checks that two values are equal. */
export function equal(what, got, expected) {
  const [g, e] = [JSON.stringify(got), JSON.stringify(expected)];
  return check(what, g === e, `got ${g}, expected ${e}`);
}

let profile;
let browser;

/** Starts Chromium with a profile that is thrown away. */
export async function openBrowser() {
  profile = mkdtempSync(join(tmpdir(), "orest-chromium-"));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    // Chromium's own sandbox refuses to run as root.
    args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    env: { ...process.env, HOME: profile },
  });
}

/** Ends it, tells what the pages complained of, and exits. */
export async function finish() {
  await browser?.close();
  if (profile) rmSync(profile, { recursive: true, force: true });
  console.log("# done");
  process.exit(failed ? 1 : 0);
}

/** One person at a browser of their own: cookies, one page, and all that goes wrong in it. */
export class Person {
  static async signIn(login, options = {}) {
    const person = new Person();
    person.login = login;
    person.troubles = [];
    person.context = await browser.newContext({ viewport: { width: 1366, height: 900 }, locale: "en-US", timezoneId: "UTC", ...options });
    person.context.setDefaultTimeout(20_000);
    person.page = await person.context.newPage();
    person.watch(person.page);
    await person.page.goto(`${stage.odoo}/web/login`);
    await person.page.fill("input[name=login]", login);
    await person.page.fill("input[name=password]", stage.users[login]);
    await person.page.click("button[type=submit]");
    await person.page.waitForSelector(".o_web_client .o_menu_apps, .o_web_client .o_action_manager > *");
    return person;
  }

  watch(page) {
    page.on("pageerror", (error) => this.troubles.push(`page error: ${String(error).slice(0, 400)}`));
    page.on("console", (message) => {
      if (message.type() === "error") this.troubles.push(`console: ${message.text().slice(0, 400)}`);
    });
    page.on("requestfailed", (request) => {
      // Leaving a page ends what it was still loading.
      if (request.failure()?.errorText !== "net::ERR_ABORTED") this.troubles.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
    });
    page.on("response", async (response) => {
      if (response.status() >= 400) this.troubles.push(`${response.status()} ${response.url()}`);
      if (response.headers()["content-type"]?.startsWith("application/json")) {
        const answer = await response.json().catch(() => ({}));
        if (answer?.error) this.troubles.push(`${response.url()}: ${answer.error.data?.name} ${answer.error.data?.message}`);
      }
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!/^(data|blob|about):/.test(url) && ![stage.odoo, stage.service].some((ours) => url.startsWith(ours))) this.troubles.push(`went out: ${url}`);
    });
  }

  /** Checks that nothing went wrong in the page since the last time. */
  quiet(what) {
    const troubles = this.troubles.splice(0);
    check(`${what}: no page error, no failed request`, troubles.length === 0, troubles.join(" | "));
  }

  async screenshot(name) {
    // Animations and the loading sign are over first.
    await this.page.waitForFunction(() => !document.querySelector(".o_loading:not([style*='display: none'])"), null, { timeout: 5_000 }).catch(() => {});
    await this.page.waitForTimeout(250);
    await this.page.screenshot({ path: join(stage.screenshots, `${name}.png`) });
  }

  async close() {
    await this.context.close();
  }
}

/** One call of Odoo's `/jsonrpc`, on a connection of its own, so that any worker may answer. */
export async function jsonrpc(service, method, ...args) {
  const answer = await fetch(`${stage.odoo}/jsonrpc`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ jsonrpc: "2.0", method: "call", id: 1, params: { service, method, args } }),
  });
  return answer.json();
}

/** Whether the service says that a token is good (RFC 7662). */
export async function isActive(token) {
  const answer = await fetch(`${stage.service}/oauth2/introspect`, {
    method: "POST",
    headers: { authorization: `Bearer ${stage.credential}`, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ token }),
  });
  if (!answer.ok) throw new Error(`introspection answers ${answer.status}: ${await answer.text()}`);
  return (await answer.json()).active;
}
