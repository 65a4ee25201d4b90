import json
import logging
from weakref import WeakKeyDictionary

from odoo import _, api, models
from odoo.exceptions import UserError

from .. import compat
from ..domain import NotForwarded, forward_domain, forward_order
from ..exceptions import ServiceError, TooManyRows
from ..groups import Question

_logger = logging.getLogger(__name__)

#: Records of one model that are brought here, at most, when a question can't be put to the service as it is.
ROWS_MAX = 10_000
#: Up to so many records a search brings the rows along.
ROWS_WITH_SEARCH = 200
#: Ids in one call for rows.
ROWS_PER_CALL = 5_000

# Rows that a search brought along, until they are read: {cursor: {(model, user, active_test): {id: row}}}. Keyed weakly,
# since `cr.cache` in a hook after the commit leaks connections in 17.0 and 18.0.
_stashes = WeakKeyDictionary()

_COLUMN_TYPES = {
    "integer": "integer",
    "many2one": "integer",
    "boolean": "boolean",
    "datetime": "timestamp",
    "binary": "text",
}


class _Narrow:
    """A model and a domain of the service's, in the context. Nobody can make one from outside: it is no JSON."""

    def __init__(self, model, domain):
        self.model = model
        self.domain = domain


#: In the context as `orest_narrow`: whoever searches wants no records, only to know whether the domain makes sense.
NO_ROWS = _Narrow(None, None)


class OrestRemote(models.AbstractModel):
    """Records that live in the authorization service. No copy of them is kept.

    A search domain, an order and a page that the service understands are put to it as they are, and so are counts and
    groups. For the rest PostgreSQL is given the rows (`_table_query`), up to a stated limit. Field values come from the
    service for exactly the records that are asked for.
    """

    _name = "orest.remote"
    _description = "Records of the authorization service"
    _auto = False
    _log_access = False
    #: Of 16.0 and later; before, nobody else knows it.
    _rec_names_search = None

    # -- what the service has ---------------------------------------------------------------------------------------

    @api.model
    def _orest(self, method, **arguments):
        """Calls a method of this model in the service, with the user's rights there."""
        return self.env["orest.service"]._call(self._name, method, **arguments)

    @api.model
    def _orest_context(self, domain=None):
        """The context for a call that has to do with the records of a domain, or with records whatever they are."""
        active_test = domain is not None and self.env.context.get("active_test", True)
        # Core does not look for active ones where a domain speaks of it. Part of the domain may have been answered here.
        if active_test and any(isinstance(leaf, (list, tuple)) and leaf[0] == "active" for leaf in domain):
            active_test = False
        return {"active_test": bool(active_test), "lang": "en_US", "tz": "UTC"}

    @api.model
    def _remote_fields(self):
        """The fields with a value of the service's that the user may see, but for the large ones. Rights are lifted here, in a
        record rule for example, not in the service.
        """
        user_model = self.sudo(False)
        return [
            name
            for name, field in self._fields.items()
            if name != "id"
            and field.store
            and field.column_type
            and field.type != "binary"
            and compat.has_field_access(user_model, field)
        ]

    @api.model
    def _is_silent(self):
        """Whether a service that is away means no records, rather than an error.

        The users form carries this flag: it must open without the service. So do the calls that only want to know what
        fields there are.
        """
        return self.env.context.get("orest_when_away") == "empty"

    # -- searching --------------------------------------------------------------------------------------------------

    @api.model
    def _forwarded(self, domain, operations=("read",)):
        """The domain, with the record rules for these operations, in the service's words."""
        parts = [self._forwarded_or_found(domain)]
        for operation in operations if not self.env.su else ():
            rules = self.env["ir.rule"]._compute_domain(self._name, operation)
            if rules:
                parts.append(self.sudo()._forwarded_or_found(compat.domain_list(rules)))
        parts = [part for index, part in enumerate(parts) if part and part not in parts[:index]]
        return ["&"] * (len(parts) - 1) + [leaf for part in parts for leaf in part]

    @api.model
    def _forwarded_or_found(self, domain):
        try:
            return forward_domain(self, domain)
        except NotForwarded as reason:
            _logger.debug("%s: %s is answered here: the service does not know %s", self._name, domain, reason)
            return [["id", "in", self._found_here(domain)]]

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, *args, **kwargs):
        # args and kwargs: count and access_rights_uid until 17.0, active_test and bypass_access from 19.0
        compat.check_access(self.browse(), "read")
        count = kwargs.pop("count", False) or (compat.SERIES < 17 and bool(args and args[0]))
        model = self
        if not kwargs.pop("active_test", True):
            model = model.with_context(active_test=False)
        if kwargs.pop("bypass_access", False):
            model = model.sudo()
        domain = compat.domain_list(domain)
        if self.env.context.get("orest_narrow") is NO_ROWS:
            return 0 if count else compat.known_query(self, [])
        try:
            if count:
                return model._orest_count(domain, None)
            return model._orest_search(domain, offset or 0, limit or None, order)
        except TooManyRows:
            raise
        except ServiceError:
            if not self._is_silent():
                raise
            return 0 if count else self._known_query([])

    @api.model
    def _found_here(self, domain):
        """Lets PostgreSQL find them, among rows that are brought here."""
        model = self.with_context(orest_narrow=_Narrow(self._name, self._narrowed(domain)))
        return list(super(OrestRemote, model)._search(domain))  # pylint: disable=super-method-mismatch

    @api.model
    def _apply_ir_rules(self, query, mode="read"):
        """Nothing: the rules are part of what the service is asked, and may look into tables that are not here."""

    @api.model
    def _narrowed(self, domain):
        """Of a conjunction, what the service understands: fewer rows have to come here."""
        parts = []
        for part in compat.conjuncts(domain):
            try:
                parts.append(forward_domain(self, part))
            except NotForwarded:
                continue
        return ["&"] * (len(parts) - 1) + [leaf for part in parts for leaf in part]

    @api.model
    def _orest_search(self, domain, offset, limit, order):
        asked = {
            "domain": self._forwarded(domain),
            "order": forward_order(self, order or self._order),
            "context": self._orest_context(domain),
        }
        if offset:
            asked["offset"] = offset
        if limit is None or limit <= ROWS_WITH_SEARCH:
            rows = self._rows_of(
                self._orest("search_read", fields=self._remote_fields(), load="", **asked, limit=limit or ROWS_WITH_SEARCH)
            )
            if limit is not None or len(rows) < ROWS_WITH_SEARCH:
                self._stash(rows)
                return self._known_query([row["id"] for row in rows])
        if limit is not None:
            asked["limit"] = limit
        ids = self._orest("search", **asked)
        if not isinstance(ids, list) or not all(type(number) is int for number in ids):
            raise self.env["orest.service"]._nonsense()
        return self._known_query(ids)

    @api.model
    def _known_query(self, ids):
        """What `_search` returns when the ids are known."""
        return compat.known_query(self.with_context(orest_narrow=_Narrow(self._name, [["id", "in", ids]])), ids)

    @api.model
    def _orest_count(self, domain, limit):
        asked = {"domain": self._forwarded(domain), "context": self._orest_context(domain)}
        if limit:
            asked["limit"] = limit
        number = self._orest("search_count", **asked)
        if type(number) is not int:
            raise self.env["orest.service"]._nonsense()
        return number

    @api.model
    def search_count(self, *args, **kwargs):
        """As in Odoo; counted by the service where it understands the domain."""
        # `args` until 15.0, `domain` since; `limit` from 16.0
        domain = args[0] if args else kwargs.get("domain", kwargs.get("args", []))
        limit = args[1] if len(args) > 1 else kwargs.get("limit")
        compat.check_access(self.browse(), "read")
        try:
            return self._orest_count(compat.domain_list(domain), limit)
        except TooManyRows:
            raise
        except ServiceError:
            if not self._is_silent():
                raise
            return 0

    # -- groups -----------------------------------------------------------------------------------------------------

    @api.model
    def _orest_groups(self, domain, groupby, aggregates, offset, limit, order):
        """Pairs of keys and aggregates, as PostgreSQL would give them.

        :raise NotForwarded: the service can't be asked that
        """
        compat.check_access(self.browse(), "read")
        question = Question(self, groupby, aggregates, order)
        domain = compat.domain_list(domain)
        context = self._orest_context(domain)

        def ask(domain, by, aggregates, order, offset, limit):
            return self._orest(
                "formatted_read_group",
                domain=domain,
                groupby=by,
                aggregates=aggregates,
                order=order,
                offset=offset,
                limit=limit,
                context=context,
            )

        return question.rows(ask, self._forwarded(domain), offset or 0, limit or None)

    @api.model
    def _read_group(self, domain, groupby=(), aggregates=(), having=(), offset=0, limit=None, order=None):
        """From 17.0, below all other groupings."""
        if having:
            return super()._read_group(domain, groupby, aggregates, having, offset, limit, order)
        try:
            rows = self._orest_groups(domain, groupby, aggregates, offset, limit, order)
        except NotForwarded as reason:
            _logger.debug("%s: groups are made here: the service does not know %s", self._name, reason)
            return super()._read_group(domain, groupby, aggregates, having, offset, limit, order)
        if not rows:
            return []
        columns = [
            self._read_group_postprocess_groupby(spec, [keys[place] for keys, _numbers in rows])
            for place, spec in enumerate(groupby)
        ] + [
            self._read_group_postprocess_aggregate(spec, [numbers[place] for _keys, numbers in rows])
            for place, spec in enumerate(aggregates)
        ]
        return list(zip(*columns))

    @api.model
    def _read_group_raw(self, domain, fields, groupby, offset=0, limit=None, orderby=False, lazy=True):
        """Until 16.0, below all other groupings."""
        groupby = [groupby] if isinstance(groupby, str) else list(dict.fromkeys(groupby))
        keys = groupby[:1] if lazy else groupby
        try:
            aggregates = compat.legacy_aggregates(self, fields, keys)
            rows = self._orest_groups(
                domain, keys, ["__count", *aggregates.values()], offset if limit else 0, limit, orderby
            )
        except NotForwarded as reason:
            _logger.debug("%s: groups are made here: the service does not know %s", self._name, reason)
            if any(isinstance(self.env.get(self._fields[key.partition(":")[0]].comodel_name), OrestRemote) for key in keys):
                # These series would join the other model's table, and there is none.
                raise UserError(_("The authorization service can't group records like this.")) from None
            model = self.with_context(orest_narrow=_Narrow(self._name, self._forwarded(compat.domain_list(domain))))
            return super(OrestRemote, model)._read_group_raw(domain, fields, groupby, offset, limit, orderby, lazy)
        return compat.legacy_groups(self, domain, keys, groupby[len(keys) :], list(aggregates), rows, lazy, orderby)

    # -- which there are --------------------------------------------------------------------------------------------

    def exists(self):
        """Those that are in the service.

        :raise AccessError: some of them are hidden from this user
        """
        ids = [number for number in self._ids if isinstance(number, int)]
        if not ids:
            return self
        found = set(self._orest("exists", ids=ids))
        return self.browse(number for number in self._ids if number in found or not isinstance(number, int))

    # -- reading ----------------------------------------------------------------------------------------------------

    @api.model
    def _rows_of(self, answer):
        """What the service sent as rows, checked: one wrong value would make PostgreSQL refuse all of them."""
        if not isinstance(answer, list):
            raise self.env["orest.service"]._nonsense()
        for row in answer:
            if not isinstance(row, dict) or type(row.get("id")) is not int:
                raise self.env["orest.service"]._nonsense()
        return answer

    @api.model
    def _stash(self, rows):
        key = self._stash_key()
        _stashes.setdefault(self.env.cr, {}).setdefault(key, {}).update((row["id"], row) for row in rows)

    @api.model
    def _stash_key(self):
        # What was found with Odoo's own rules lifted is not for who asks with them.
        return (self._name, self.env.uid, self.env.su)

    @api.model
    def _take(self, ids):
        """Rows that a search brought along; each once, so that nobody reads old ones later."""
        stash = _stashes.get(self.env.cr, {}).get(self._stash_key(), {})
        return [stash.pop(number) for number in ids if number in stash]

    @api.model
    def _forget(self):
        """What was read is not so any more."""
        _stashes.pop(self.env.cr, None)
        for name in self.env.registry.descendants(["orest.remote"], "_inherit"):
            compat.forget(self.env[name])
        compat.forget(self.env["res.users"], ["orest_authorization_ids"])

    def _rows(self, names):
        """The rows of these records that exist, with at least these fields."""
        rows = {row["id"]: row for row in self._take(self.ids)}
        wanted = set(names)
        missing = [number for number in self.ids if not wanted.issubset(rows.get(number, ()))]
        if missing:
            large = [name for name in names if self._fields[name].type == "binary"]
            asked = list(dict.fromkeys(self._remote_fields() + large)) if not large or len(names) > len(large) else large
            for start in range(0, len(missing), ROWS_PER_CALL):
                answer = self._orest(
                    "read",
                    ids=missing[start : start + ROWS_PER_CALL],
                    fields=asked,
                    load="",
                    context=self._orest_context(),
                )
                for row in self._rows_of(answer):
                    rows.setdefault(row["id"], {}).update(row)
        return [rows[number] for number in self.ids if number in rows]

    def _fill_cache(self, names):
        """Reads these fields, and with them whatever came along, into the cache. Gives the records that exist."""
        rows = self._rows(names)
        fetched = self.browse([row["id"] for row in rows])
        columns = [
            field
            for name, field in self._fields.items()
            if field.store and field.column_type and name != "id" and rows and all(name in row for row in rows)
        ]
        for field in columns:
            values = [self._cache_value(field, row[field.name]) for row in rows]
            if field.type == "many2one":
                values = self._known(field, values)
            compat.put_in_cache(fetched, field, values)
        return fetched

    @api.model
    def _cache_value(self, field, value):
        """A value of the service's as the cache keeps it.

        :raise Nonsense: it is none of the field's type
        """
        try:
            if field.type == "many2one" and value is not False:
                return int(value)
            return field.convert_to_cache(value, self, validate=False)
        except (TypeError, ValueError):
            raise self.env["orest.service"]._nonsense() from None

    @api.model
    def _known(self, field, ids):
        """Ids of records of Odoo's own, or none for those that are gone: one of them would break the whole list."""
        comodel = self.env[field.comodel_name]
        if isinstance(comodel, OrestRemote):
            return ids
        there = set(comodel.sudo().browse({number for number in ids if number}).exists()._ids)
        return [number if number in there else None for number in ids]

    def _read(self, fields):
        """Reads fields into the cache, until 16.0."""
        if not self:
            return
        compat.check_access(self.browse(), "read")
        names = [name for name in fields if name in self._fields]
        columns = [name for name in names if self._fields[name].store and self._fields[name].column_type]
        fetched = self._fill_cache([name for name in columns if name != "id"]) if columns else self
        for name in names:
            field = self._fields[name]
            if field.store and not field.column_type:
                field.read(fetched)

    def _fetch_query(self, query, fields):
        """Reads fields of the records that a search found into the cache, from 17.0."""
        columns, others = [], []
        for field in fields:
            if field.name != "id":
                (columns if field.column_type else others).append(field)
        records = self.browse(query)
        fetched = records
        if records and columns:
            fetched = records._fill_cache([field.name for field in columns])
        elif records:
            # Whatever the search brought along is read next.
            records._fill_cache([])
        for field in others if fetched else ():
            field.read(fetched)
        return fetched

    # -- rows for PostgreSQL ----------------------------------------------------------------------------------------

    @property
    def _table_query(self):
        """All rows, or those that the context's narrower domain leaves, as a table expression."""
        columns = [
            (name, _COLUMN_TYPES.get(field.type, "text"))
            for name, field in self._fields.items()
            if field.store and field.column_type
        ]
        return compat.rows_sql(self.env, columns, self._rows_json)

    @api.model
    def _rows_json(self):
        """The rows that PostgreSQL is to look through, normalised field by field.

        They stand in the text of a statement, and a database that logs failing statements writes them: no field of the
        service's is a secret.
        """
        narrow = self.env.context.get("orest_narrow")
        if not isinstance(narrow, _Narrow) or narrow.model != self._name:
            narrow = _Narrow(self._name, [])
        rows = self._rows_of(
            self._orest(
                "search_read",
                domain=narrow.domain,
                fields=self._remote_fields(),
                load="",
                limit=ROWS_MAX + 1,
                order="id",
                context=self._orest_context(),
            )
        )
        if len(rows) > ROWS_MAX:
            raise TooManyRows(
                _(
                    "This search can't be answered by the authorization service itself, and there are more than %s records "
                    "to look through here. Narrow it down, by user, application, state or date.",
                    ROWS_MAX,
                )
            )
        table = [{"id": row["id"]} for row in rows]
        for name in self._remote_fields():
            field = self._fields[name]
            values = [self._cache_value(field, row[name]) if name in row else None for row in rows]
            if field.type == "many2one":
                values = self._known(field, values)
            for row, value in zip(table, values):
                row[name] = self._json_value(field, value)
        return json.dumps(table)

    @staticmethod
    def _json_value(field, value):
        if field.type == "boolean":
            return bool(value)
        if field.type in ("datetime", "date") and value:
            return compat.to_text(value)
        return value if value or (field.type == "integer" and value is not None) else None

    # -- writing ----------------------------------------------------------------------------------------------------

    @api.model
    def _check_names(self, vals):
        for name in vals:
            field = self._fields.get(name)
            if field is None:
                raise ValueError("Invalid field %r on model %r" % (name, self._name))

    # There is no table to write to: super() has nothing to do in these three.
    # pylint: disable=method-required-super

    @api.model_create_multi
    def create(self, vals_list):
        compat.check_access(self.browse(), "create")
        ids = []
        for vals in vals_list:
            self._check_names(vals)
            made = self._orest("create", vals_list=self._to_service(vals), repeatable=False)
            ids += made if isinstance(made, list) else [made]
        self._forget()
        return self.browse(ids)

    def write(self, vals):
        if not self:
            return True
        compat.check_access(self, "write")
        self._check_names(vals)
        compat.flush_all(self.env)
        self._orest("write", ids=self.ids, vals=self._to_service(vals))
        self._forget()
        return True

    def unlink(self):
        if not self:
            return True
        records = self.exists()
        compat.check_access(records or self.browse(), "unlink")
        # The caller's pending writes would be lost with what is forgotten below, and a failure among them must come first.
        compat.flush_all(self.env)
        if records:
            self._orest("unlink", ids=records.ids, channel="unlink", act=True)
        self._forget()
        return True

    @api.model
    def _to_service(self, vals):
        """Values as JSON has them."""
        result = {}
        for name, value in vals.items():
            if isinstance(value, models.BaseModel):
                value = value.ids
            elif isinstance(value, bytes):
                value = value.decode()
            elif isinstance(value, (list, tuple)):
                value = [
                    [command[0], command[1] if len(command) > 1 else 0, self._link_values(command)] for command in value
                ]
            elif hasattr(value, "isoformat"):
                value = compat.to_text(value)
            result[name] = value
        return result

    @api.model
    def _link_values(self, command):
        values = command[2] if len(command) > 2 else 0
        return self._to_service(values) if isinstance(values, dict) else values

