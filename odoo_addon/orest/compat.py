"""Every difference between the series that the Python code has to know, in one place."""

import datetime
import logging

import werkzeug.utils
from psycopg2.extensions import adapt

from odoo import SUPERUSER_ID, api, release
from odoo.http import request
from odoo.tools.misc import get_lang

_logger = logging.getLogger(__name__)

SERIES = release.version_info[0]

if SERIES >= 17:
    from odoo.tools import SQL
else:
    SQL = None

if SERIES < 17:
    from odoo.osv.query import Query

if SERIES >= 19:
    from odoo.fields import Domain
else:
    Domain = None
    from odoo.osv import expression

# What `res.users` calls its groups.
GROUPS_FIELD = "group_ids" if SERIES >= 19 else "groups_id"
# The same with the groups that they imply.
ALL_GROUPS_FIELD = "all_group_ids" if SERIES >= 19 else "groups_id"


# What `res.groups` calls its users.
MEMBERS_FIELD = "user_ids" if SERIES >= 19 else "users"


def domain_list(domain):
    """The domain in prefix notation, with each operator written out, and a "!" only where this series leaves it."""
    if SERIES >= 19:
        return list(Domain(domain))
    # There "not earlier than" is "later than or at", and leaves out what has no date.
    return expression.distribute_not(expression.normalize_domain(list(domain or [])))


def is_domain(value):
    """Whether the value of a term is a domain of its own."""
    return isinstance(value, (list, tuple)) or SERIES >= 19 and isinstance(value, Domain)


def names_domain(names, operator, value):
    """A search for a text in any of the fields; until 16.0."""
    join = expression.AND if operator in expression.NEGATIVE_TERM_OPERATORS else expression.OR
    return join([[(name, operator, value)] for name in names])


def domain_and(domains):
    """All of these domains, as a list."""
    if SERIES >= 19:
        return list(Domain.AND(domains))
    return expression.AND(domains)


def check_access(records, operation):
    """Refuses with AccessError what the access rights or a record rule forbid."""
    if SERIES >= 18:
        records.check_access(operation)
    else:
        records.check_access_rights(operation)
        records.check_access_rule(operation)


def has_field_access(model, field):
    """Whether the field's groups let the user see it."""
    if model.env.su or not field.groups:
        return True
    if SERIES >= 18:
        return model.env.user.has_groups(field.groups)
    return model.user_has_groups(field.groups)


def flush_all(env):
    """Writes everything that waits to be written."""
    if SERIES >= 16:
        env.flush_all()
    else:
        env["base"].flush()


def invalidate_all(env):
    """Forgets everything that was read, after writing what waits to be written."""
    flush_all(env)
    if SERIES >= 16:
        env.invalidate_all()
    else:
        env.cache.invalidate()


def forget(model, names=None):
    """Forgets what was read of a model, and nothing else: a write that is under way needs what it has in the cache."""
    if SERIES >= 16:
        model.invalidate_model(names, flush=False)
    else:
        model.env.cache.invalidate([(model._fields[name], None) for name in names or model._fields if name != "id"])


def put_in_cache(records, field, values):
    """Puts values, as the cache keeps them, where there are none yet."""
    if SERIES >= 19:
        field._insert_cache(records, values)
    elif SERIES >= 17:
        records.env.cache.insert_missing(records, field, values)
    else:
        records.env.cache.update(records, field, values)


def is_groups_field(name):
    """Whether writing this field of a user changes groups: until 18.0 the form has a field for each."""
    return name == GROUPS_FIELD or name.startswith(("in_group_", "sel_groups_")) or name == "role"


class Notifier:
    """Calls a method of users with ids, in a transaction of its own, after the one at hand. It never fails.

    What it has to know it takes along: `cr.cache` in such a hook leaks connections in 17.0 and 18.0.
    """

    def __init__(self, env, ids, method):
        self._registry = env.registry
        self._uid = env.uid
        self._ids = ids
        self._method = method

    def __call__(self):
        try:
            with self._registry.cursor() as cr:
                # What the service writes down is whose doing it was.
                users = api.Environment(cr, SUPERUSER_ID, {"orest_uid": self._uid})["res.users"]
                getattr(users, self._method)(sorted(self._ids))
        except Exception:
            _logger.exception("The authorization service was not told of users %s", sorted(self._ids)[:20])


def known_query(records, ids):
    """What `_search` returns when the ids are known."""
    return records.browse(ids)._as_query() if SERIES >= 17 else list(ids)


class LazyText:
    """A statement's parameter that is made when the statement is executed, if ever."""

    def __init__(self, make):
        self._make = make
        self._connection = None

    def __conform__(self, protocol):
        return self

    def prepare(self, connection):
        self._connection = connection

    def getquoted(self):
        text = adapt(self._make())
        text.prepare(self._connection)
        return text.getquoted()


def rows_sql(env, columns, make_json):
    """A table expression over rows in JSON.

    Core makes one in many places where nobody executes it: to check the domain of a rule, to tell whether a field can be
    sorted by. So the rows are made at the last moment.

    :param columns: pairs of a column's name and its PostgreSQL type
    :param make_json: gives a list of objects, as ASCII text
    """
    names = ", ".join('"%s" %s' % column for column in columns)
    if SERIES >= 17:
        # 17.0 wants parentheses of its own.
        return SQL("(SELECT * FROM jsonb_to_recordset(%%s::jsonb) AS orest_rows(%s))" % names, LazyText(make_json))
    # The text becomes part of a statement that is formatted once more: a percent sign must not be seen there.
    literal = env.cr.mogrify("%s", [make_json().replace("%", "\\u0025")]).decode()
    return "(SELECT * FROM jsonb_to_recordset(%s::jsonb) AS orest_rows(%s))" % (literal, names)


def week_start(env):
    """The first day of a week in groups, Monday being 0."""
    if SERIES >= 15:
        return int(get_lang(env).week_start) - 1
    return 0


def to_text(value):
    """A date or datetime as Odoo writes it on the wire."""
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat()


def conjuncts(domain):
    """The parts of a domain in prefix notation, all of which must hold."""
    parts = []
    # A part begins where everything above it is an "&".
    position, pending = 0, 1
    while pending:
        item = domain[position] if position < len(domain) else None
        if item is None:
            break
        if item == "&":
            pending += 1
            position += 1
            continue
        start, open_terms = position, 1
        while open_terms:
            item = domain[position]
            open_terms += {"&": 1, "|": 1, "!": 0}.get(item, -1) if isinstance(item, str) else -1
            position += 1
        parts.append(domain[start:position])
        pending -= 1
    return parts


#: Paths of calls that a person before a screen has made: the Action menu, and buttons.
SCREEN_PATHS = ("/web/action/run", "/web/dataset/call_button")


def redirect(address):
    """Sends the browser to an address, of this Odoo or not."""
    if SERIES >= 15:
        return request.redirect(address, local=False)
    return werkzeug.utils.redirect(address, 303)


def record_url(action, record):
    """Where the web client shows a record.

    :param str action: external id of a window action
    """
    if SERIES >= 18:
        return "/odoo/action-%s/%s" % (action, record.id)
    number = record.env["ir.model.data"].sudo()._xmlid_to_res_id(action) if SERIES >= 15 else record.env.ref(action).id
    return "/web#id=%s&model=%s&view_type=form&action=%s" % (record.id, record._name, number)


def notification(message, title="", kind="success", link=None, close=True):
    """An action that tells somebody something.

    :param str kind: success, warning or danger, which stays until it is clicked away
    :param link: a pair of a label and an address, put behind the message
    :param bool close: whether what is behind is read anew
    """
    if SERIES < 15:
        # There it is a format, whatever stands in it.
        message = message.replace("%", "%%")
    if link:
        message += " %s"
    params = {"type": kind, "message": message, "title": title, "sticky": kind == "danger"}
    if link:
        params["links"] = [{"label": link[0], "url": link[1]}]
    if close:
        params["next"] = {"type": "ir.actions.act_window_close"}
    return {"type": "ir.actions.client", "tag": "display_notification", "params": params}


def legacy_aggregates(model, names, groupby):
    """The aggregates of `read_group`'s `fields` until 16.0: what each is called, and what the service is asked."""
    keys = [spec.partition(":")[0] for spec in groupby]
    found = {}
    for spec in names or list(model._fields):
        name, _colon, function = spec.partition(":")
        function, _bracket, fname = function.partition("(")
        fname = fname.rstrip(")") or name
        field = model._fields.get(fname)
        if spec in ("__count", "sequence") and field is None or fname in keys:
            continue
        if field is None:
            raise ValueError("Invalid field %r on model %r" % (fname, model._name))
        if not function:
            function = field.group_operator if field.store and field.column_type else None
        if function and fname != "id":
            found[name] = "%s:%s" % (fname, function)
    return found


def legacy_groups(model, domain, keys, rest, names, rows, lazy, order):
    """Groups in the form of `_read_group_raw` until 16.0: the rows of PostgreSQL, through the rest of what Odoo does to them."""
    query = Query(model.env.cr, model._table, "(SELECT 1)")
    annotated = [model._read_group_process_groupby(spec, query) for spec in keys]
    by_spec = {key["groupby"]: key for key in annotated}
    count = "__count"
    if lazy and (len(annotated) >= 2 or not model.env.context.get("group_by_no_leaf")):
        count = "%s_count" % (annotated[0]["field"] if annotated else "_")
    fetched = [
        dict(zip(keys, values), **{"id": 0, count: numbers[0]}, **dict(zip(names, numbers[1:]))) for values, numbers in rows
    ]
    if not annotated:
        return fetched
    model._read_group_resolve_many2one_fields(fetched, annotated)
    data = [{key: model._read_group_prepare_data(key, value, by_spec) for key, value in row.items()} for row in fetched]
    if model.env.context.get("fill_temporal") and data:
        data = model._read_group_fill_temporal(data, keys + rest, names, annotated)
    result = [model._read_group_format_result(row, annotated, keys + rest, domain) for row in data]
    if lazy:
        result = model._read_group_fill_results(
            domain, annotated[0]["field"], rest, names, count, result, read_group_order=order or ",".join(keys)
        )
    return result
