// A browser as small as it gets: it reads forms, fills them in as a person would, and sends them.

import { parse } from "node-html-parser";

const STEPS_MAX = 10;

/** The first form of a page: where it goes, its fields, its buttons. */
function firstForm(html) {
  const form = parse(html).querySelector("form");
  const fields = new Map();
  const buttons = [];
  for (const element of form?.querySelectorAll("input, button") ?? []) {
    const name = element.getAttribute("name");
    const value = element.getAttribute("value") ?? "";
    if (!name) continue;
    if (element.tagName === "BUTTON" || element.getAttribute("type") === "submit") buttons.push([name, value]);
    else fields.set(name, value);
  }
  return { action: form?.getAttribute("action") ?? "", method: form?.getAttribute("method") ?? "get", fields, buttons };
}

/** A browser of one person. */
export class Browser {
  #cookies = new Map();

  constructor(login, password) {
    Object.assign(this, { login, password });
  }

  async #fetch(url, options = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { ...(cookie && { Cookie: cookie }), ...options.headers };
    const answer = await fetch(url, { ...options, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.#cookies.set(name, value);
    }
    return answer;
  }

  /** Opens an authorization request, signs in where asked, decides, and returns where the server sent the browser back to. */
  async authorize(url, redirectUri, decision = "allow") {
    let address = String(url);
    let answer = await this.#fetch(address);
    let signIns = 0;
    for (let step = 0; step < STEPS_MAX; step += 1) {
      if (answer.status >= 300 && answer.status < 400) {
        address = new URL(answer.headers.get("location"), address).href;
        if (address.startsWith(redirectUri)) return new URL(address);
        answer = await this.#fetch(address);
        continue;
      }
      const html = await answer.text();
      const { action, method, fields, buttons } = firstForm(html);
      if (fields.has("password")) {
        signIns += 1;
        fields.set("login", this.login).set("password", this.password);
      } else if (buttons.some(([name, value]) => name === "decision" && value === decision)) {
        fields.set("decision", decision);
      } else {
        throw new Error(`${answer.status} and no form that can be filled in: ${html.slice(0, 2000)}`);
      }
      if (signIns > 1) throw new Error(`${this.login} can't sign in: ${html.slice(0, 2000)}`);
      address = new URL(action, address).href;
      const body = new URLSearchParams([...fields]);
      const headers = { Origin: new URL(address).origin };
      if (method.toLowerCase() === "post") answer = await this.#fetch(address, { method: "POST", body, headers });
      else answer = await this.#fetch((address = `${address.split("?")[0]}?${body}`));
    }
    throw new Error("the pages lead nowhere");
  }
}
