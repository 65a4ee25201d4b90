// What the journeys share: a browser, one person's page in it, checks, screenshots, and Odoo's RPC.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

/** Where everything is, who may sign in, and which tokens there are. */
export const stage = JSON.parse(readFileSync(process.argv[2], "utf8"));

const CALLS = 6;
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
const people = new Set();

/** Runs journeys one after the other in a fresh Chromium; one that fails does not keep the next from running. */
export async function play(...journeys) {
  profile = mkdtempSync(join(tmpdir(), "orest-chromium-"));
  try {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      args: [
        // Chromium's own sandbox refuses to run as root.
        ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
        "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      ],
      env: { ...process.env, HOME: profile },
    });
    for (const journey of journeys) {
      const started = Date.now();
      await journey().catch(async (error) => {
        check(`${journey.name} goes on`, false, String(error?.stack ?? error).split("\n").slice(0, 12).join("\n#   "));
        for (const person of people) {
          console.log(`#   ${person.login} was at ${person.page.url()}; ${person.takeTroubles().join(" | ")}`);
          await person.page.screenshot({ path: join(stage.screenshots, `failed-${journey.name}-${person.login}.png`) }).catch(() => {});
        }
      });
      console.log(`# ${journey.name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    }
  } catch (error) {
    check("there is a browser", false, String(error));
  }
  await browser?.close();
  rmSync(profile, { recursive: true, force: true });
  console.log("# done");
  process.exit(failed ? 1 : 0);
}

/** One person at a browser of their own: cookies, one page, and all that goes wrong in it. */
export class Person {
  constructor(login) {
    this.login = login;
    this.troubles = [];
  }

  /** A person with a browser, who is signed in nowhere yet. */
  static async arrive(login, options = {}) {
    const person = new Person(login);
    person.context = await browser.newContext({ viewport: { width: 1366, height: 900 }, locale: "en-US", timezoneId: "UTC", ...options });
    person.context.setDefaultTimeout(15_000);
    person.page = await person.context.newPage();
    person.watch(person.page);
    people.add(person);
    return person;
  }

  /** A person who is signed in to Odoo. */
  static async signIn(login, options) {
    const person = await Person.arrive(login, options);
    await person.page.goto(`${stage.odoo}/web/login`);
    await person.fillInSignIn();
    await person.page.waitForSelector(".o_web_client .o_user_menu");
    await person.settle();
    return person;
  }

  async fillInSignIn() {
    await this.page.fill("input[name=login]", this.login);
    await this.page.fill("input[name=password]", stage.users[this.login]);
    await this.page.click("button[type=submit]");
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
      const ours = [stage.odoo, stage.service].some((place) => url.startsWith(`${place}/`)) || (this.elsewhere && url.startsWith(this.elsewhere));
      if (!ours && !/^(data|blob|about):/.test(url)) this.troubles.push(`went out: ${url}`);
    });
  }

  /** Checks that nothing went wrong in the page since the last time. */
  quiet(what) {
    const troubles = this.troubles.splice(0);
    check(`${what}: no page error, no failed request`, troubles.length === 0, troubles.join(" | "));
  }

  /** What went wrong since the last time, for journeys in which something must. */
  takeTroubles() {
    return this.troubles.splice(0);
  }

  async screenshot(name) {
    await this.settle();
    await this.page.waitForTimeout(150);
    await this.page.screenshot({ path: join(stage.screenshots, `${name}.png`) });
  }

  /** Waits until Odoo has nothing under way. */
  async settle() {
    await this.page.waitForFunction(() => !document.querySelector(".o_loading:not([style*='display: none']), .blockUI"), null, { timeout: 10_000 });
  }

  /** Opens a page of the web client afresh. */
  async open(hash, wait, search = "") {
    await this.page.goto("about:blank");
    await this.page.goto(`${stage.odoo}/web${search}#${hash}`);
    await this.page.waitForSelector(wait);
    await this.settle();
  }

  /** Through the menus, as people go: the app, then each entry by its words. */
  async menu(...words) {
    const [section, entry] = words;
    await this.page.click(`.o_menu_sections > li > a:text-is("${section}")`);
    await this.page.click(`.o_menu_sections .dropdown-menu.show >> text="${entry}"`);
    await this.settle();
  }

  /** Types into the search field and takes the first proposal. */
  async search(text) {
    await this.page.fill(".o_searchview_input", text);
    await this.page.press(".o_searchview_input", "Enter");
    await this.settle();
  }

  /** Opens the Action menu, if it is not open, and gives its words. */
  async actions() {
    const items = this.page.locator(".o_cp_action_menus .o_menu_item");
    if (!(await items.count())) await this.page.click(".o_cp_action_menus button:has-text('Action')");
    await items.first().waitFor();
    return (await items.allInnerTexts()).map((words) => words.trim());
  }

  /** Chooses an entry of the Action menu. */
  async action(words) {
    await this.actions();
    await this.page.click(`.o_cp_action_menus .o_menu_item:has-text("${words}")`);
  }

  /** The texts of a list's rows. */
  async rows(within = ".o_content") {
    return this.page.$$eval(`${within} .o_data_row`, (rows) => rows.map((row) => row.innerText.replace(/\s+/g, " ").trim()));
  }

  /**
   * Does something whose answer from the server is kept back until `meanwhile` has run: the screen has not changed yet.
   * `matches` tells the request by its method and parameters.
   */
  async whileHeld(matches, act, meanwhile) {
    let arrived, go, delivered;
    const held = new Promise((resolve) => (arrived = resolve));
    const released = new Promise((resolve) => (go = resolve));
    const done = new Promise((resolve) => (delivered = resolve));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("the request was not made")), 15_000).unref());
    const handler = async (route) => {
      const params = route.request().postDataJSON()?.params;
      if (!params || !matches(params)) return route.fallback();
      const response = await route.fetch();
      arrived(await response.json());
      await released;
      await route.fulfill({ response });
      delivered();
    };
    await this.page.route("**/web/dataset/**", handler);
    try {
      await act();
      await meanwhile(await Promise.race([held, late]));
      go();
      await done;
    } finally {
      go();
      await this.page.unroute("**/web/dataset/**", handler);
    }
    await this.settle();
  }

  async leave() {
    people.delete(this);
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

/** The grant of a person to an application. */
export function grantOf(login, application) {
  const found = stage.grants.filter((grant) => grant.login === login && grant.application === application);
  if (found.length !== 1) throw new Error(`${found.length} grants of ${login} to ${application}`);
  return found[0];
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

/** What some calls with a token, all at once, are answered by Odoo: logins that were read, or names of errors. */
export async function odooAnswers(grant) {
  const call = async () => {
    const answer = await jsonrpc("object", "execute_kw", stage.database, grant.uid, grant.access_token, "res.users", "read", [[grant.uid], ["login"]]);
    return answer.error ? answer.error.data.name : answer.result[0].login;
  };
  const answers = await Promise.all(Array.from({ length: CALLS }, call));
  return [...answers, await call(), await call()];
}

const only = (answers) => [...new Set(answers)];

/** Checks that the service and each of Odoo's workers accept a token. */
export async function accepted(when, grant) {
  equal(`${when}: the service accepts the token of ${grant.login} for ${grant.application}`, await isActive(grant.access_token), true);
  equal(`${when}: Odoo's /jsonrpc accepts it, on every worker`, only(await odooAnswers(grant)), [grant.login]);
}

/** Checks that the service refuses a token, and each of Odoo's workers. */
export async function refused(when, grant) {
  equal(`${when}: the service refuses the token of ${grant.login} for ${grant.application}`, await isActive(grant.access_token), false);
  await refusedByOdoo(when, grant);
}

/** Checks that each of Odoo's workers refuses a token, in its calls and at its login. */
export async function refusedByOdoo(when, grant) {
  equal(`${when}: Odoo's /jsonrpc refuses it, on every worker`, only(await odooAnswers(grant)), ["odoo.exceptions.AccessDenied"]);
  const login = await jsonrpc("common", "login", stage.database, grant.login, grant.access_token);
  check(`${when}: nobody signs in with it`, login.result === false || login.error?.data?.name === "odoo.exceptions.AccessDenied", login);
}
