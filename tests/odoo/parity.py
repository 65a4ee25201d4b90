"""The service's records beside an ordinary table with the same rows: what RPC answers is the same.

The module `orest_parity` (in `addons/`) has an ordinary model for each of the service's, filled with the same rows. Each question
is put to both over `/jsonrpc`, and the answers must be equal: values, order, labels, errors. What differs by intent is in
`DIFFERENCES`, with its reason; one that no longer occurs has failed. A question that is wrong in itself may be refused in any words.

Questions are written down, and made by chance from a seed. It is always the same, so that a change is judged by what it changes; to hunt for
more, `OREST_PARITY_SEED` takes another, or `any`, and prints what it took.
"""

import collections
import json
import math
import os
import random
import re
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from grants import populate
from lab import MODULE, Refused, Trial, json_rpc

PARITY = "orest_parity"
RANDOM_QUESTIONS = 250
SEED = 14
# Of a plain user, whose record rules stand in the way: of all questions each third.
PLAIN_USER_STEP = 3
WORKERS = 2
SHOWN_MAX = 40
AUTHORIZATION = "orest.authorization"
PAST = 200

# Domains as people and programs write them. `{uid}` is the id of who asks.
DOMAINS = [
    [],
    [("state", "=", "live")],
    [("state", "!=", "live")],
    [("state", "in", ["expired", "revoked"])],
    [("state", "not in", ["live"])],
    [("state", "=", False)],
    [("active", "=", False)],
    [("active", "in", [True, False])],
    [("user_id", "=", "{uid}")],
    [("user_id", "=", False)],
    [("user_id", "!=", False)],
    [("user_id", "in", [6, 7, False])],
    [("user_id", "not in", [6, 7])],
    [("user_id", "!=", 6)],
    [("user_id", "ilike", "a")],
    [("user_id", "not ilike", "a")],
    [("user_id", "=", "Alice Ahrens")],
    [("user_id.login", "=", "alice")],
    [("user_id.login", "!=", "alice")],
    [("user_id.partner_id.name", "ilike", "b")],
    [("user_id.active", "=", False)],
    [("user_id", "child_of", 6)],
    [("application_id", "ilike", "sales")],
    [("application_id", "not ilike", "sales")],
    [("application_id", "=", "Sales Dashboard")],
    [("application_id.name", "like", "Sales")],
    [("application_id.client_id", "=like", "%-connector")],
    [("application_id.uri_ids.uri", "ilike", "example.com")],
    [("application_id.is_public", "=", True)],
    [("application_id", "in", [1, 3])],
    [("device_id", "=", False)],
    [("device_id", "!=", False)],
    [("device_id.device_type", "=", "mobile")],
    [("device_id.user_id.login", "in", ["alice", "erin"])],
    [("device_id", "ilike", "firefox")],
    [("grant_type", "=", "client_credentials")],
    [("scope", "ilike", "SALE")],
    [("scope", "like", "sale")],
    [("scope", "=ilike", "PRO%")],
    [("scope", "=", False)],
    [("scope", "!=", "profile")],
    [("scope", "ilike", "%")],
    [("scope", "ilike", "_")],
    [("scope", "=like", "\\")],
    [("scope", "not like", "profile")],
    [("redirect_uri", "=", False)],
    [("redirect_uri", "ilike", "")],
    [("last_used_at", "=", False)],
    [("last_used_at", "!=", False)],
    [("last_used_at", "<", "2026-01-01 00:00:00")],
    [("create_date", ">=", "2026-10-01")],
    [("create_date", "<", "2026-11-01 12:00:00")],
    [("expires_at", ">", "2026-12-01"), ("state", "=", "live")],
    ["|", ("last_used_at", "=", False), ("last_used_at", "<", "2026-11-01")],
    ["!", ("state", "=", "live")],
    ["!", "|", ("state", "=", "live"), ("application_id", "=", 1)],
    ["&", "|", ("state", "=", "revoked"), ("state", "=", "expired"), "!", ("user_id", "=", False)],
    [("revocation_id", "!=", False)],
    [("revocation_id.kind", "=", "revoke")],
    [("revocation_id.reason_admin", "ilike", "ticket")],
    [("revoked_by", "=", 2)],
    [("revoked_by.login", "=", "admin")],
    [("revoked_by", "ilike", "admin")],
    [("generation", ">", 2)],
    [("generation", "in", [1, 2, 3])],
    [("generation", "not in", [0, 1])],
    [("generation", "=", 0)],
    [("generation", "=", False)],
    [("display_name", "ilike", "dashboard")],
    [("display_name", "=", "Sales Dashboard - Alice Ahrens")],
    [("code_ids", "=", False)],
    [("id", "in", [1, 2, 3, 999999])],
    [("id", "in", [])],
    [("id", "not in", [])],
    [("id", "=", 5)],
    [("id", ">", 100)],
    [("id", "=", False)],
    [(1, "=", 1)],
    [(0, "=", 1)],
    [("state", "=?", False)],
    [("state", "=?", "live")],
    [("create_uid", "=", "{uid}")],
    # What is wrong in itself.
    [("no_such_field", "=", 1)],
    [("user_id.no_such_field", "=", 1)],
    [("state", "no such operator", "live")],
    [("state", "=")],
    ["&", ("state", "=", "live")],
    [("create_date", ">", "no date")],
    ["?", ("state", "=", "live")],
]
ORDERS = [
    None, "id", "id desc", "user_id, id", "user_id desc, id", "application_id, id desc", "device_id, id", "revocation_id desc, id", "state, id",
    "scope desc, id", "last_used_at, id", "last_used_at desc, id", "expires_at asc, create_date desc, id", "generation desc, id", "revoked_by, id",
    "display_name, id", "no_such_field", "id; drop table res_users", "id desc nulls last", "user_id.name",
]
GROUPS = [
    ["user_id"], ["application_id"], ["device_id"], ["state"], ["create_date:month"], ["create_date:day"], ["create_date:week"],
    ["create_date:quarter"], ["create_date:year"], ["create_date:hour"], ["create_date"], ["last_used_at:month"], ["expires_at:month"], ["revoked_by"],
    ["revocation_id"], ["grant_type"], ["active"], ["generation"], ["scope"], ["user_id", "application_id"], ["application_id", "state"],
    ["state", "create_date:month"], ["create_date:year", "user_id", "state"], ["no_such_field"], ["create_date:no_such_unit"], ["code_ids"], [],
]
FIELDS = [
    "id", "display_name", "active", "application_id", "user_id", "device_id", "grant_type", "scope", "redirect_uri", "state", "expires_at", "last_used_at",
    "last_refreshed_at", "generation", "revoked_at", "revoked_by", "revocation_id", "create_date", "create_uid", "write_date",
]
AGGREGATES = ["generation", "generation:sum", "generation:max", "generation:avg"]
ALIASES = ["total:sum(generation)", "most:max(generation)", "mean:avg(generation)", "least:min(generation)", "people:count_distinct(user_id)", "all:count(id)"]
CONTEXTS = [
    {}, {}, {"active_test": False}, {"tz": "Europe/Berlin"}, {"tz": "Pacific/Auckland", "active_test": False}, {"bin_size": True}, {"lang": "en_US"},
]
OTHER_MODELS = {
    "orest.application": (
        [[], [("name", "ilike", "a")], [("client_id", "like", "sales")], [("user_id", "=", False)], [("authorization_ids", "!=", False)],
         [("authorization_ids.state", "=", "live")], [("authorization_ids.user_id.login", "=", "alice")], [("uri_ids.uri", "like", "https")],
         [("uri_ids", "=", False)], [("is_public", "=", True)], [("is_public", "!=", True)], [("model_scheme_id", "=", False)],
         [("access_token_expiry", ">", 60)], [("image", "=", False)], [("active", "=", False)], [("authorization_ids", "in", [1, 2, 3])]],
        [None, "name desc", "client_id", "access_token_expiry, name"], [["user_id"], ["is_public"], ["active"], ["create_date:month"]],
    ),
    "orest.application.uri": (
        [[], [("uri", "ilike", "127")], [("application_id.name", "ilike", "sales")], [("application_id", "=", 1)]],
        [None, "uri desc", "application_id, uri"], [["application_id"]],
    ),
    "orest.device": (
        [[], [("user_id", "=", "{uid}")], [("device_type", "=", "mobile")], [("authorization_ids.state", "=", "live")], [("revoked", "=", False)],
         [("name", "ilike", "chrome")], [("authorization_ids", "=", False)], [("user_id.login", "like", "a")]],
        [None, "name, id", "user_id, id", "device_type desc, id"], [["user_id"], ["device_type"], ["browser"], ["revoked"]],
    ),
    "orest.revocation": (
        [[], [("kind", "=", "undo")], [("undone", "=", True)], [("user_id", "=", "{uid}")], [("reason_admin", "ilike", "ticket")],
         [("authorization_ids", "!=", False)], [("authorization_ids.user_id", "=", "{uid}")], [("revoked", ">", 1)], [("undoes_id", "!=", False)],
         [("undoes_id.reason_admin", "ilike", "wrong")], [("channel", "=", "server_action")]],
        [None, "sequence", "user_id, id", "revoked desc, id"], [["user_id"], ["channel"], ["kind"], ["initiating_entity"], ["create_date:month"], ["undone"]],
    ),
    "orest.authorization.code": (
        [[], [("active", "=", False)], [("authorization_id.user_id.login", "=", "alice")], [("used_at", "!=", False)]],
        [None, "id", "authorization_id, id"], [["authorization_id"], ["create_date:month"]],
    ),
    "orest.model.scheme": ([[], [("name", "ilike", "a")]], [None, "name desc"], [["model_limit"]]),
    "orest.model.configuration": ([[], [("model", "like", "res.%")], [("scheme_id.name", "ilike", "a")]], [None, "model desc"], [["scheme_id"], ["field_limit"]]),
}


class Question:
    """A call that is put to both."""

    def __init__(self, what, model, method, *arguments, **keywords):
        self.what, self.model, self.method, self.arguments, self.keywords = what, model, method, arguments, keywords

    def __str__(self):
        parts = [*map(repr, self.arguments), *(f"{name}={value!r}" for name, value in self.keywords.items())]
        return f"{self.model}.{self.method}({', '.join(parts)})"


class Asker:
    """A user at `/jsonrpc`."""

    def __init__(self, trial, login):
        self.trial, self.login = trial, login
        self.uid = json_rpc(trial.odoo.url, "common", "login", trial.name, login, login)

    def ask(self, question, twin):
        """What one of both answers: a value, or the name of the error."""
        rename = to_twin if twin else lambda value: value
        arguments, keywords = (rename(self._me(part)) for part in (list(question.arguments), question.keywords))
        try:
            answer = json_rpc(
                self.trial.odoo.url, "object", "execute_kw", self.trial.name, self.uid, self.login, rename(question.model), question.method,
                arguments, keywords,
            )
        except Refused as refused:
            return refused
        return from_twin(answer)

    def _me(self, value):
        if value == "{uid}":
            return self.uid
        if isinstance(value, (list, tuple)):
            return [self._me(one) for one in value]
        if isinstance(value, dict):
            return {name: self._me(one) for name, one in value.items()}
        return value


def replace_in(value, pattern, replacement):
    """The value with the texts in it changed."""
    if isinstance(value, str):
        return re.sub(pattern, replacement, value)
    if isinstance(value, (list, tuple)):
        return [replace_in(one, pattern, replacement) for one in value]
    if isinstance(value, dict):
        return {replace_in(name, pattern, replacement): replace_in(one, pattern, replacement) for name, one in value.items()}
    return value


def to_twin(value):
    """The same, asked of the table."""
    value = replace_in(value, r"^orest\.(?!parity)", "orest.parity.")
    return replace_in(value, r"^orest_authorization_ids", "parity_authorization_ids")


def from_twin(value):
    """What the table answered, in the words of the service's models."""
    value = replace_in(value, r"\borest\.parity\.", "orest.")
    return replace_in(value, r"\bparity_authorization_ids", "orest_authorization_ids")


def written_questions():
    """What is asked in any case."""
    for domain in DOMAINS:
        yield Question("domains", AUTHORIZATION, "search", domain)
        yield Question("counts", AUTHORIZATION, "search_count", domain)
        yield Question("lists", AUTHORIZATION, "web_search_read", domain, ["user_id", "application_id", "state", "scope"], 0, 20)
        yield Question("groups", AUTHORIZATION, "read_group", domain, ["generation"], ["state"])
    for order in ORDERS:
        yield Question("orders", AUTHORIZATION, "search", [], order=order)
        yield Question("orders", AUTHORIZATION, "search_read", [("state", "=", "live")], ["user_id"], 5, 30, order)
        yield Question("orders", AUTHORIZATION, "search", [("user_id.login", "!=", "alice")], 3, 10, order)
    for groups in GROUPS:
        for lazy in (True, False):
            yield Question("groups", AUTHORIZATION, "read_group", [], ["generation"], groups, lazy=lazy)
        yield Question("groups", AUTHORIZATION, "web_read_group", [("state", "!=", "revoked")], ["generation:max"], groups, limit=3, offset=1)
        yield Question("groups", AUTHORIZATION, "read_group", [("user_id.login", "!=", "x")], ["id"], groups, context={"tz": "Asia/Tokyo"})
        yield Question("groups", AUTHORIZATION, "read_group", [], ALIASES, groups, lazy=False, limit=7, orderby=f"{groups[0]} desc" if groups else None)
    for field in FIELDS:
        yield Question("fields", AUTHORIZATION, "search_read", [], [field], 0, 10)
    for model in (AUTHORIZATION, *OTHER_MODELS):
        yield Question("fields", model, "fields_get")
        yield Question("defaults", model, "default_get", ["active", "name", "scope", "state"])
        for name, operator in (("a", "ilike"), ("", "ilike"), ("e", "like"), ("Sales Dashboard", "="), ("a", "not ilike"), ("%", "ilike"), ("A%", "=ilike")):
            yield Question("names", model, "name_search", name, [], operator, 8)
        yield Question("names", model, "name_get", [1, 2])
        yield Question("read", model, "read", [[1, 2], []])
        yield Question("read", model, "read", [1, 2], ["display_name"])
        yield Question("read", model, "read", [3, 1], ["create_date"], "")
        yield Question("read", model, "read", [999999], ["display_name"])
        yield Question("read", model, "read", [1], ["no_such_field"])
        yield Question("read", model, "exists", [1, 999999])
        yield Question("views", model, "check_access_rights", "write", False)
        yield Question("views", model, "check_access_rights", "unlink", False)
    for model, (domains, orders, groups) in OTHER_MODELS.items():
        for domain in domains:
            yield Question("other models", model, "search", domain)
            yield Question("other models", model, "search_count", domain)
            yield Question("other models", model, "search_read", domain, ["display_name", "create_date"], context={"active_test": False})
        for order in orders:
            yield Question("other models", model, "search", [], order=order)
        for group in groups:
            yield Question("other models", model, "read_group", [], ["id"], group)
    yield Question("groups", AUTHORIZATION, "read_group", [], ["generation:avg"], ["create_date:month", "application_id"], lazy=False)
    yield Question("export", AUTHORIZATION, "export_data", [1, 2, 3, 4], ["user_id/name", "application_id/name", "state", "create_date", "device_id/user_id/login"])
    yield Question("export", AUTHORIZATION, "export_data", [1, 2, 3, 4], [".id", "scope", "application_id/uri_ids/uri"])
    yield Question("export", "orest.application", "export_data", [1, 2], ["name", "uri_ids/uri", "authorization_ids/state"])
    for domain in (
        [("orest_authorization_ids", "!=", False)], [("orest_authorization_ids", "=", False)], [("orest_authorization_ids.state", "=", "live")],
        [("orest_authorization_ids.application_id.name", "ilike", "sales")], ["!", ("orest_authorization_ids.state", "=", "revoked")],
        [("orest_authorization_ids", "in", [1, 2, 3])], [("orest_authorization_ids.device_id.device_type", "=", "mobile")],
        [("orest_authorization_ids", "ilike", "sales")], [("orest_authorization_ids.no_such_field", "=", 1)],
    ):
        yield Question("from users", "res.users", "search", domain)
    yield Question("from users", "res.users", "read", [2, 6, 7], ["login", "orest_authorization_ids"])
    yield Question("from users", "res.users", "search_read", [("id", ">", 5)], ["orest_authorization_ids"], context={"active_test": False})


class Chance:
    """Questions by chance."""

    def __init__(self, seed, rows, fields):
        self.random, self.rows, self.fields = random.Random(seed), rows, fields

    def value(self, name):
        """A value of the field that occurs, or nothing."""
        value = self.random.choice(self.rows)[name]
        return value[0] if isinstance(value, list) else value

    def leaf(self):
        """A term."""
        name = self.random.choice(FIELDS)
        ttype = self.fields[name]["type"]
        operators = {
            "char": ["=", "!=", "like", "ilike", "not like", "not ilike", "=like", "=ilike", "in", "not in", "<", ">="],
            "many2one": ["=", "!=", "in", "not in", "ilike", "not ilike"],
            "selection": ["=", "!=", "in", "not in", "ilike", "<", ">="],
            "datetime": ["=", "!=", "<", "<=", ">", ">=", "in"],
            "integer": ["=", "!=", "<", "<=", ">", ">=", "in", "not in"],
            "boolean": ["=", "!=", "in"],
        }[ttype]
        operator = self.random.choice(operators)
        if "in" in operator.split():
            value = [self.value(name) for _ in range(self.random.randint(0, 4))]
            if self.random.random() < 0.2:
                value.append(False)
            return [name, operator, value]
        if "like" in operator:
            text = self.random.choice(["a", "Sales", "e%r", "_a", "%", "", "profile", "live", "alice", "FIREFOX", "é", "\\", "100%", "'"])
            return [name, operator, text]
        return [name, operator, False if self.random.random() < 0.15 and operator in ("=", "!=") else self.value(name)]

    def path(self):
        """A term on something that is related."""
        return self.random.choice([
            ["user_id.login", self.random.choice(["=", "!=", "like"]), self.random.choice(["alice", "bob", "erin"])],
            ["user_id.login", self.random.choice(["in", "not in"]), self.random.sample(["alice", "bob", "erin"], 2)],
            ["user_id.active", "=", self.random.choice([True, False])],
            ["application_id.name", self.random.choice(["ilike", "not ilike", "=", "!="]), self.random.choice(["sales", "Payroll Export", "s"])],
            ["application_id.access_token_expiry", self.random.choice([">", "<="]), 3600],
            ["device_id.device_type", self.random.choice(["=", "!="]), "mobile"],
            ["device_id.name", "ilike", self.random.choice(["chrome", "linux"])],
            ["revocation_id.user_id", self.random.choice(["=", "!="]), 2],
            ["revocation_id.user_id.login", "=", "admin"],
            ["application_id.uri_ids.uri", "ilike", self.random.choice(["https", "9000"])],
        ])

    def domain(self, depth=0):
        """A domain, in prefix notation or as a plain list of terms."""
        if depth < 3 and self.random.random() < 0.55 - 0.1 * depth:
            connective = self.random.choice("&&||!")
            operands = [self.domain(depth + 1) or [[1, "=", 1]] for _ in range(1 if connective == "!" else 2)]
            return [connective] + [item for operand in operands for item in operand]
        return [self.path() if self.random.random() < 0.25 else self.leaf()]

    def question(self):
        """Any question."""
        domain = self.domain() if self.random.random() < 0.93 else []
        if self.random.random() < 0.2:
            domain = [self.leaf(), *domain]
        keywords = {}
        context = self.random.choice(CONTEXTS)
        if context:
            keywords["context"] = context
        names = self.random.sample(["id", "user_id", "application_id", "device_id", "state", "create_date", "last_used_at", "scope", "generation"], 2)
        order = ", ".join(f"{name}{self.random.choice(['', ' desc', ' asc'])}" for name in names)
        order = self.random.choice([None, order, f"{order}, id"] if "id" in names else [None, f"{order}, id"])
        offset, limit = self.random.choice([0, 0, 0, 2, 50]), self.random.choice([None, None, 1, 7, 80, 10000])
        kind = self.random.choice(["search", "search", "search_read", "web_search_read", "search_count", "read_group", "read_group", "web_read_group"])
        what = "by chance"
        if kind == "search_count":
            return Question(what, AUTHORIZATION, kind, domain, **keywords)
        if kind == "search":
            return Question(what, AUTHORIZATION, kind, domain, offset, limit, order, **keywords)
        if kind in ("search_read", "web_search_read"):
            fields = self.random.sample(FIELDS, self.random.randint(1, 6))
            return Question(what, AUTHORIZATION, kind, domain, fields, offset, limit, order, **keywords)
        groups = list(dict.fromkeys(group for _ in range(self.random.randint(1, 2)) for group in self.random.choice(GROUPS[:22])))
        return Question(
            what, AUTHORIZATION, kind, domain, [self.random.choice(AGGREGATES)], groups, offset=self.random.choice([0, 0, 1]),
            limit=self.random.choice([None, None, 3, 80]), lazy=self.random.choice([True, False]), **keywords,
        )


def same(left, right):
    """Whether two answers are equal. Sums of fractions may differ in the last digit."""
    if isinstance(left, Refused) and isinstance(right, Refused):
        return is_no_access(left) == is_no_access(right)
    if isinstance(left, float) or isinstance(right, float):
        return type(left) is type(right) and math.isclose(left, right, rel_tol=1e-12)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def is_no_access(refused):
    """Whether it was refused for want of a right. A question that is wrong in itself may be refused in any words."""
    return refused.name.rsplit(".", 1)[-1] in ("AccessError", "AccessDenied")


def first_difference(left, right, where=""):
    """Where two answers differ first."""
    if type(left) is type(right) and isinstance(left, dict):
        for name in sorted({*left, *right}):
            if name not in left or name not in right or not same(left[name], right[name]):
                return first_difference(left.get(name), right.get(name), f"{where}.{name}")
    if type(left) is type(right) and isinstance(left, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right)):
            if not same(one, other):
                return first_difference(one, other, f"{where}[{index}]")
    return f"at {where or 'the top'}: the service's model has {short(left)}, the table {short(right)}"


def short(value):
    """A value that fits in a line."""
    text = str(value) if isinstance(value, Refused) else json.dumps(value)
    return text if len(text) < 300 else f"{text[:300]} … ({len(text)} characters)"


def compare(report, asker, questions, needed):
    """Puts the questions to both and counts by kind."""
    passed, wrong = collections.Counter(), collections.defaultdict(list)
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = list(pool.map(lambda question: (asker.ask(question, False), asker.ask(question, True)), questions))
    for question, (ours, theirs) in zip(questions, answers):
        known = None if same(ours, theirs) else next((one for one in DIFFERENCES if one.holds(asker, question, ours, theirs)), None)
        if known:
            needed[known.what] += 1
        if known or same(ours, theirs):
            passed[question.what] += 1
        else:
            wrong[question.what].append(f"{question}\n    #     {first_difference(ours, theirs)}")
    for what in dict.fromkeys(question.what for question in questions):
        report.count(f"{asker.login}: {what}", passed[what], len(wrong[what]), "\n    #   ".join(wrong[what][:SHOWN_MAX]))


class Difference:
    """What differs by intent: what, why, and how it is told from a mistake."""

    def __init__(self, what, reason, holds):
        self.what, self.reason, self.holds = what, reason, holds


def terms_in(value):
    """The terms of the domains in a question."""
    if isinstance(value, (list, tuple)):
        if len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], str) and value[0] not in "&|!":
            yield value
        else:
            for one in value:
                yield from terms_in(one)


def is_empty_one2many(_asker, question, _ours, _theirs):
    """A one2many is compared with nothing."""
    return any(name in ("code_ids", "authorization_ids", "uri_ids") and value is False for name, _operator, value in terms_in(question.arguments))


def is_hidden_field(asker, _question, ours, theirs):
    """A plain user searches by what he may not read."""
    return asker.login != "admin" and isinstance(ours, Refused) and is_no_access(ours) and not isinstance(theirs, Refused)


def is_impossible_grouping(_asker, question, ours, _theirs):
    """It says that it can't."""
    return question.method.endswith("read_group") and isinstance(ours, Refused) and "can't group records like this" in ours.message


def is_trailing_escape(_asker, _question, ours, theirs):
    """PostgreSQL refuses a pattern."""
    return isinstance(theirs, Refused) and "InvalidEscapeSequence" in theirs.name and not isinstance(ours, Refused)


def is_computed_field(_asker, question, ours, theirs):
    """The table is there with all stored fields."""
    if question.method != "fields_get" or isinstance(ours, Refused):
        return False
    known = {name: field for name, field in ours.items() if name in theirs}
    return same(known, theirs) and all(not field["store"] for name, field in ours.items() if name not in theirs)


def is_place_of_empty_group(_asker, question, ours, theirs):
    """Groups by what has a falling order; if all are there, they are the same."""
    ours, theirs = (answer["groups"] if isinstance(answer, dict) and "groups" in answer else answer for answer in (ours, theirs))
    if not question.method.endswith("read_group") or isinstance(ours, Refused) or isinstance(theirs, Refused):
        return False
    groups = [group for argument in question.arguments[2:3] for group in argument]
    if not {"device_id", "revocation_id"} & set(groups) or len(ours) != len(theirs):
        return False
    if question.keywords.get("limit") or question.keywords.get("offset"):
        return True
    return all(any(same(group, other) for other in theirs) for group in ours)


def is_zero_among_numbers(_asker, question, _ours, _theirs):
    """A list of numbers has a 0."""
    return any(isinstance(value, list) and any(type(one) is int and one == 0 for one in value) for _name, _operator, value in terms_in(question.arguments))


def is_hidden_record(asker, question, ours, theirs):
    """A plain user asks by lines of which he may not see all."""
    names = {name.split(".")[0] for name, operator, value in terms_in(question.arguments) if operator == "in" or value is False}
    return asker.login != "admin" and names & {"orest_authorization_ids", "authorization_ids"} and isinstance(ours, list) and isinstance(theirs, list)


def is_number_of_ids(_asker, question, ours, theirs):
    """Nothing else differs."""

    def without(value):
        if isinstance(value, dict):
            return {name: without(one) for name, one in value.items() if name not in ("id", "all")}
        return [without(one) for one in value] if isinstance(value, list) else value

    return question.method.endswith("read_group") and not isinstance(ours, Refused) and same(without(ours), without(theirs))


DIFFERENCES = [
    Difference(
        "a one2many that is compared with nothing", "what is in the waste bin does not count, as from Odoo 16.0; 14.0 counts archived records here alone",
        is_empty_one2many,
    ),
    Difference(
        "a search by a field that one may not read", "it is refused, as from Odoo 18.0; in 14.0 its values can be guessed by searching", is_hidden_field,
    ),
    Difference(
        "an average by month and by a record of the service's",
        "months of a timezone are put together from days, which does not give averages, and 14.0 would join a table that is not there: a sentence says so",
        is_impossible_grouping,
    ),
    Difference("a pattern that ends in a backslash", "it finds nothing, where PostgreSQL refuses the statement", is_trailing_escape),
    Difference(
        "where the group of records without a device or revocation stands", "at the end, as in Odoo 19.0; 14.0 has it first if the other model's order is falling",
        is_place_of_empty_group,
    ),
    Difference("a 0 in a list of numbers", "it is a number; 14.0 takes it for “not set”", is_zero_among_numbers),
    Difference(
        "one2many lines that one may not see", "they are not there; 14.0 asks for no right to lines that are named by id, or by none", is_hidden_record,
    ),
    Difference("computed fields", "the table has the stored ones", is_computed_field),
    Difference("sums and counts of ids", "they mean nothing and are not asked of the service; `__count` is what lists show", is_number_of_ids),
]


def run(lab, report, _options):
    """Asks, and compares."""
    seed = os.environ.get("OREST_PARITY_SEED") or SEED
    seed = secrets.randbelow(10**6) if seed == "any" else int(seed)
    # A copy: Odoo's Python leaves what it compiled beside it.
    addons = lab.folder / "addons"
    shutil.copytree(Path(__file__).resolve().parent / "addons", addons, ignore=shutil.ignore_patterns("__pycache__"))
    with Trial(lab, "parity", modules=(MODULE, PARITY), addons=[addons]) as trial:
        trial.install()
        trial.start(WORKERS)
        populate(trial, PAST)
        admin = Asker(trial, "admin")
        counts = trial.rpc("admin", "admin", "orest.parity", "fill")
        report.check("there are records to compare", counts[AUTHORIZATION] >= PAST and all(counts.values()), counts)
        report.say(f"Odoo is up, with {counts}; OREST_PARITY_SEED={seed}")
        rows = trial.rpc("admin", "admin", AUTHORIZATION, "search_read", [("active", "in", [True, False])], FIELDS)
        chance = Chance(seed, rows, trial.rpc("admin", "admin", AUTHORIZATION, "fields_get"))
        needed = collections.Counter()
        questions = [*written_questions(), *(chance.question() for _ in range(RANDOM_QUESTIONS))]
        for asker, some in ((admin, questions), (Asker(trial, "alice"), questions[::PLAIN_USER_STEP])):
            compare(report, asker, some, needed)
        for difference in DIFFERENCES:
            report.check(f"still different: {difference.what}", needed[difference.what])
