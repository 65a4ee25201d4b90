// One line per check: `ok - what` or `not ok - what`, and an exit code that says whether all held.

import { readFileSync } from "node:fs";
import { isDeepStrictEqual, inspect } from "node:util";

let failed = 0;

/** Prints whether it holds; `detail` is shown when it does not. */
export function check(what, holds, detail) {
  console.log(`${holds ? "ok" : "not ok"} - ${what}`);
  if (!holds) {
    failed += 1;
    if (detail !== undefined) console.log(`#   ${inspect(detail, { depth: 6 }).replaceAll("\n", "\n#   ")}`);
  }
  return Boolean(holds);
}

/** Checks that two values are equal. */
export function equal(what, got, expected) {
  return check(what, isDeepStrictEqual(got, expected), { got, expected });
}

/** Checks that the promise is refused with an error whose text holds `text`. */
export async function rejects(what, promise, text = "") {
  try {
    check(what, false, { value: await promise });
  } catch (error) {
    const said = [error.message, error.error, error.code, error.status].filter(Boolean).join(" ");
    check(what, said.includes(text), error);
  }
}

/** Ends the script: exit code 1 if a check failed. The last line tells that it got this far. */
export function finish() {
  console.log("# done");
  process.exitCode = failed ? 1 : 0;
}

/** The demo's `demo.json`, whose path is the script's only argument. */
export function loadDemo() {
  if (process.argv.length !== 3) throw new Error("usage: node SCRIPT DATA_DIR/demo.json");
  return JSON.parse(readFileSync(process.argv[2], "utf8"));
}

/** The password of a demo user. */
export const passwordOf = (demo, login) => demo.users.find((user) => user.login === login).password;
