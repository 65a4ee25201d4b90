"""schemathesis (unmodified, from PyPI) over the OpenAPI document: whatever is sent, no 5xx, and no answer that the document doesn't know."""

import json
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from check import check, confidential_applications, finish, password_of
from server import Server

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"
EXAMPLES = 30
SEED = 20261121
TIMEOUT_SECONDS = 240
# The account and the zone that the document has for examples.
ACCESS = ["--access-accounts", "acme", "--access-zones", "acme-zone"]


def fuzz(server, tag, *auth):
    """Runs it over the calls of one tag."""
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.url}/openapi.json", "--include-tag", tag, "--checks", CHECKS,
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--warnings", "off",
        "--no-color", "--generation-database", "none", *auth,
    ]
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=TIMEOUT_SECONDS, check=False, cwd=server.data_dir,  # it leaves a folder where it runs
    )
    print(done.stdout, flush=True)
    cases = re.search(r"(\d+) generated", done.stdout)
    check(f"{tag}: no 5xx, and no answer that the document doesn't know", done.returncode == 0, done.stdout[-3000:].replace("\n", "\n#   "))
    check(f"{tag}: it has tried much", cases and int(cases.group(1)) >= 20, cases and cases.group(0))


def tags(server):
    """What kinds of calls there are."""
    with urllib.request.urlopen(f"{server.url}/openapi.json", timeout=30) as answer:
        return {tag["name"] for tag in json.load(answer)["tags"]}


def admin_session(demo):
    """An access token of an administrator's session."""
    body = json.dumps({"username": "admin", "password": password_of(demo, "admin")}).encode()
    with urllib.request.urlopen(f"{demo['url']}/api/admin/v3.0/auth/providers/local-userpass/login", body, timeout=30) as answer:
        return json.load(answer)["access_token"]


def main():
    """One server, and each kind of call as somebody who may."""
    with tempfile.TemporaryDirectory(prefix="orest-openapi-") as folder, Server(sys.argv[1], folder, arguments=ACCESS) as server:
        demo = server.start(demo=True).demo()
        application = confidential_applications(demo)[0]
        callers = {
            "oauth2": ("--auth", f"{application['client_id']}:{application['client_secret']}"),
            "operation": (),
            "access": ("--header", f"Authorization: Bearer {demo['api_key']}"),
            # Ending the session would leave the rest of the run with 401.
            "app_services": ("--header", f"Authorization: Bearer {admin_session(demo)}", "--exclude-operation-id", "adminDeleteSession"),
        }
        known = tags(server)
        check("each kind of call has a caller", known == set(callers), f"{known ^ set(callers)}")
        for tag in sorted(known & set(callers)):
            fuzz(server, tag, *callers[tag])
        log = Path(server.log_path).read_text(encoding="utf-8", errors="replace")
        check("the server's log tells of no panic", "panicked" not in log)
    finish()


if __name__ == "__main__":
    main()
