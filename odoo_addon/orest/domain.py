"""Search domains and orders of Odoo's, as the service understands them.

The service speaks Odoo's domains, on its own fields and relations. What touches Odoo's own records (users) is resolved here, to
ids: the service has a copy of the users that may be a moment behind, and knows neither their companies nor their partners.
"""

import datetime

from odoo import models

from . import compat

_OPERATORS = {
    "=", "!=", "<", "<=", ">", ">=", "in", "not in",
    "like", "not like", "ilike", "not ilike", "=like", "=ilike",
}  # fmt: skip
_COMPARISONS = ("<", "<=", ">", ">=")
_CONNECTIVES = ("&", "|", "!")


class NotForwarded(Exception):
    """The service would not understand it, or not quite as this series of Odoo does."""


def is_remote(model):
    """Whether the records are the service's."""
    return hasattr(type(model), "_orest_search")


def forward_domain(model, domain):
    """The domain in the service's words.

    :param model: an empty recordset of the model, with the environment whose rights count in Odoo
    :param domain: in Odoo's form
    :raise NotForwarded: it can't be said in them
    """
    domain = compat.domain_list(domain)
    if compat.SERIES < 19 and "!" in domain:
        # Where nothing is stored, this neither holds nor does not; later it does not hold.
        raise NotForwarded("a negation")
    return [item if item in _CONNECTIVES else _leaf(model, item) for item in domain]


def forward_order(model, order):
    """The order in the service's words.

    :raise ValueError: it names what the model does not have
    """
    parts = []
    for part in order.split(","):
        name, *direction = part.split() or [""]
        field = model._fields.get(name)
        known = field is not None and field.store and field.column_type
        if not known or [word.lower() for word in direction] not in ([], ["asc"], ["desc"]):
            raise ValueError("Invalid order %r on model %r" % (order, model._name))
        parts.append(" ".join([name, *direction]))
    return ", ".join(parts)


def _leaf(model, leaf):
    left, operator, value = leaf
    if (left, operator, value) in ((1, "=", 1), (0, "=", 1)):
        return [left, operator, value]
    if not isinstance(left, str):
        raise NotForwarded("the term %r" % (leaf,))
    if operator == "<>":
        operator = "!="
    elif operator == "==":
        operator = "="
    path, field = _walk(model, left)
    rest = left.split(".")[len(path) :]
    name = ".".join(path)
    if field.type == "many2one" and not is_remote(model.env[field.comodel_name]):
        return _local(model, field, name, rest, operator, value)
    if rest:
        raise NotForwarded("the path %s" % left)
    if operator == "any" and field.relational:
        # 19.0 writes the paths of record rules so.
        return [name, operator, forward_domain(model.env[field.comodel_name], _nested(value))]
    if operator == "=?":
        if value is None or value is False:
            return [1, "=", 1]
        operator = "="
    if field.type == "many2one" and isinstance(value, str) and model.env[field.comodel_name]._rec_names_search:
        return _named(model.env[field.comodel_name].with_context(active_test=False), name, operator, value)
    if operator not in _OPERATORS:
        raise NotForwarded("the operator %s" % operator)
    if operator in _COMPARISONS and (value is None or isinstance(value, bool)):
        raise NotForwarded("a comparison with nothing")
    if field.type == "integer" and field.name != "id" and compat.SERIES < 19 and _has_nothing(value):
        # Until 18.0 a number is not "not set" because it is 0.
        raise NotForwarded("a number that is not set")
    return [name, operator, _value(field, value)]


def _walk(model, left):
    """The part of a path that is the service's, and the field that it ends in."""
    path, field = [], None
    for name in left.split("."):
        if field is not None:
            if not field.relational or not is_remote(model.env[field.comodel_name]):
                break
            model = model.env[field.comodel_name]
        field = model._fields.get(name)
        if field is None or not (field.store or field.name == "id") or field.related:
            raise NotForwarded("the field %s" % name)
        path.append(name)
    return path, field


def _local(model, field, name, rest, operator, value):
    """A term on a record of Odoo's own, as one on its id."""
    comodel = model.env[field.comodel_name].with_context(active_test=False)
    if not rest and operator in ("=", "!=", "in", "not in") and not _has_text(value):
        return [name, operator, _ids(value)]
    if not rest and operator == "any":
        return [name, "in", comodel.search(_nested(value)).ids]
    if not rest and operator in ("child_of", "parent_of", "=?"):
        raise NotForwarded("the operator %s" % operator)
    if rest:
        # Nothing there: which records that means differs between the series.
        if not value or operator.startswith("not ") or operator == "!=":
            raise NotForwarded("the term on %s" % name)
        ids = comodel.search([(".".join(rest), operator, value)]).ids
        return [name, "in", ids]
    return _named(comodel, name, operator, value)


def _nested(value):
    """The domain within a term with "any", which may hold a search instead."""
    if compat.SERIES < 17 or not compat.is_domain(value):
        raise NotForwarded("a search in a search")
    return compat.domain_list(value)


def _named(comodel, name, operator, value):
    """A term on what a record is called, as one on its id."""
    negative = operator.startswith("not ") or operator == "!="
    positive = {"!=": "="}.get(operator, operator[4:] if operator.startswith("not ") else operator)
    if positive == "in" or positive == "=" and not isinstance(value, str):
        raise NotForwarded("texts among ids")
    if not isinstance(value, str) or not value:
        raise NotForwarded("a search for no text")
    ids = [found[0] for found in comodel.name_search(value, [], positive, None)]
    return [name, "not in" if negative else "in", ids]


def _has_nothing(value):
    return value is None or value is False or isinstance(value, (list, tuple, set)) and any(v is None or v is False for v in value)


def _has_text(value):
    return isinstance(value, str) or isinstance(value, (list, tuple, set)) and any(isinstance(v, str) for v in value)


def _ids(value):
    if isinstance(value, bool) or value is None:
        return bool(value)
    if isinstance(value, int):
        return value
    if isinstance(value, models.BaseModel):
        return value.ids
    if isinstance(value, (str, dict)):
        raise NotForwarded("a value of another type")
    try:
        ids = [False if number is None else number for number in value]
    except TypeError:
        raise NotForwarded("a value of another type") from None
    if not all(isinstance(number, int) for number in ids):
        raise NotForwarded("a value of another type")
    return ids


def _value(field, value):
    """A value as JSON has it."""
    if field.relational or field.name == "id":
        return value if isinstance(value, str) else _ids(value)
    if isinstance(value, (list, tuple, set, frozenset)) or type(value).__name__ == "OrderedSet":
        return [_value(field, one) for one in value]
    if value is None:
        return False
    if isinstance(value, (bool, int)):
        return value
    if field.type == "datetime":
        if isinstance(value, datetime.datetime):
            return compat.to_text(value)
        # A day alone, or "today": the series read it differently.
        if not isinstance(value, str) or len(value) != 19:
            raise NotForwarded("a moment that is no moment")
        return value
    if isinstance(value, str):
        return value
    raise NotForwarded("a value of another type")
