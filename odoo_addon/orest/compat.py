"""Every difference between the series that the Python code has to know, in one place."""

import datetime

import werkzeug.utils

from odoo import release
from odoo.http import request

SERIES = release.version_info[0]

if SERIES >= 17:
    from odoo.tools import SQL
    from odoo.tools.query import Query
else:
    SQL = None
    from odoo.osv.query import Query

if SERIES >= 19:
    from odoo.fields import Domain
else:
    Domain = None
    from odoo.osv import expression

# What `res.users` calls its groups.
GROUPS_FIELD = "group_ids" if SERIES >= 19 else "groups_id"


def domain_list(domain):
    """The domain in prefix notation, with each operator written out."""
    if SERIES >= 19:
        return list(Domain(domain))
    return expression.normalize_domain(list(domain or []))


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
    """Forgets everything that was read."""
    if SERIES >= 16:
        env.invalidate_all(flush=False)
    else:
        env.cache.invalidate()


def put_in_cache(records, field, values):
    """Puts values, as the cache keeps them, where there are none yet."""
    if SERIES >= 19:
        field._insert_cache(records, values)
    elif SERIES >= 17:
        records.env.cache.insert_missing(records, field, values)
    else:
        records.env.cache.update(records, field, values)


def after_commit(env, function):
    """Has the function called when, and only if, the transaction is committed."""
    if hasattr(env.cr, "postcommit"):
        env.cr.postcommit.add(function)
    else:
        env.cr.after("commit", function)


if SERIES >= 17:

    class RowsQuery(Query):
        """A query whose result is known. Rows are brought in only when somebody makes SQL of it."""

        def __init__(self, records, ids):
            super().__init__(records.env if SERIES >= 18 else records.env.cr, records._table, SQL("(SELECT 1)"))
            self._records = records
            self._rows_wanted = True
            self.set_result_ids(ids)

        @property
        def from_clause(self):
            if self._rows_wanted:
                self._rows_wanted = False
                rows = self._records._rows_sql(list(self._ids))
                self._tables[self.table] = SQL("(%s)", rows)
            return super().from_clause

    def known_query(records, ids):
        """What `_search` returns when the ids are known."""
        return RowsQuery(records, ids)

else:

    def known_query(records, ids):
        """What `_search` returns when the ids are known."""
        return list(ids)


def rows_sql(env, columns, rows_json):
    """A table expression over rows in JSON.

    :param columns: pairs of a column's name and its PostgreSQL type
    :param rows_json: a list of objects, as JSON text
    """
    names = ", ".join('"%s" %s' % column for column in columns)
    if SERIES >= 17:
        return SQL(
            "SELECT * FROM jsonb_to_recordset(%%s::jsonb) AS orest_rows(%s)" % names.replace("%", "%%"),
            rows_json,
        )
    # The text becomes part of a statement that is formatted once more: a percent sign must not be seen there.
    literal = env.cr.mogrify("%s", [rows_json.replace("%", "\\u0025")]).decode()
    return "(SELECT * FROM jsonb_to_recordset(%s::jsonb) AS orest_rows(%s))" % (literal, names)


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
