"""Groups of records, counted by the service.

The service groups moments in UTC, Odoo in the timezone of the user. What lies between the two beginnings of a month (or day) is
counted by a second question and moved over, so that a million records cost two short answers.
"""

import datetime

import pytz
from dateutil.relativedelta import relativedelta

from . import compat
from .domain import NotForwarded

#: Groups that are put together here. More come from somebody who groups by moments of a whole database.
GROUPS_MAX = 5_000
#: Beginnings of months (or days) that fit into a domain.
WINDOWS_MAX = 2_000

_ADDITIVE = {"__count", "sum", "count"}
_FORWARDED = _ADDITIVE | {"avg", "min", "max", "count_distinct"}
_STEPS = {
    "hour": relativedelta(hours=1),
    "day": relativedelta(days=1),
    "week": relativedelta(days=7),
    "month": relativedelta(months=1),
    "quarter": relativedelta(months=3),
    "year": relativedelta(years=1),
}
_BASES = {"hour": "hour", "day": "day", "week": "day", "month": "month", "quarter": "month", "year": "month"}
_FORMAT = "%Y-%m-%d %H:%M:%S"


class Question:
    """What `_read_group` is asked, taken apart.

    :raise NotForwarded: the service can't be asked that
    """

    def __init__(self, model, groupby, aggregates, order):
        self.model = model
        self.keys = [Key(model, spec) for spec in groupby]
        self.aggregates = list(aggregates)
        for spec in self.aggregates:
            function = spec if spec == "__count" else spec.partition(":")[2]
            if function not in _FORWARDED:
                raise NotForwarded("the aggregate %s" % spec)
            if spec != "__count":
                _check_field(model, spec.partition(":")[0])
        self.order = _parse_order(order, [key.spec for key in self.keys], self.aggregates)
        self.moments = [key for key in self.keys if key.granularity]
        if len(self.moments) > 1:
            raise NotForwarded("two moments")

    def is_additive(self):
        """Whether groups may be put together by adding."""
        return all(spec == "__count" or spec.partition(":")[2] in _ADDITIVE for spec in self.aggregates)

    def rows(self, ask, domain, offset, limit):
        """Pairs of keys and aggregates, as PostgreSQL gives them.

        :param ask: calls `formatted_read_group` of the service
        :param domain: in the service's words
        """
        if not self.moments:
            order = ", ".join("%s %s" % (spec, "desc" if down else "asc") for spec, down in self.order) or None
            rows = self._parse(ask(domain, [key.spec for key in self.keys], self.aggregates, order, offset, limit))
            merged = self._merge(rows)
            if len(merged) == len(rows):
                return list(merged.items())
        if self.keys and not self.is_additive():
            raise NotForwarded("an aggregate that does not add up")
        merged = self._merge(self._bucketed(ask, domain))
        rows = self._sorted(list(merged.items()))
        return rows[offset : offset + limit if limit else None]

    def _parse(self, answer):
        if not isinstance(answer, list):
            raise self.model.env["orest.service"]._nonsense()
        try:
            return [
                (
                    tuple(key.parse(group[key.asked]) for key in self.keys),
                    tuple(self._number(group, spec) for spec in self.aggregates),
                )
                for group in answer
            ]
        except (KeyError, TypeError, ValueError, IndexError):
            raise self.model.env["orest.service"]._nonsense() from None

    def _number(self, group, spec):
        value = group[spec]
        name = spec.partition(":")[0]
        if spec != "__count" and value is not False and self.model._fields[name].type == "datetime":
            if spec.endswith((":min", ":max")):
                return datetime.datetime.strptime(value, _FORMAT)
        return None if value is False or value is None else value

    def _bucketed(self, ask, domain):
        """Groups by the user's months (or days, …)."""
        by = [key.asked for key in self.keys]
        rows = self._parse(ask(domain, by, self.aggregates, None, 0, GROUPS_MAX + 1))
        if len(rows) > GROUPS_MAX:
            raise NotForwarded("so many groups")
        if not self.moments:
            return rows
        [moment] = self.moments
        place = self.keys.index(moment)
        moved = []
        windows = moment.windows({keys[place] for keys, _numbers in rows if keys[place] is not None})
        if windows:
            between = []
            for start, end, _direction in windows:
                between += ["&", [moment.name, ">=", start.strftime(_FORMAT)], [moment.name, "<", end.strftime(_FORMAT)]]
            between = ["|"] * (len(windows) - 1) + between
            found = self._parse(ask(["&"] + domain + between if domain else between, by, self.aggregates, None, 0, GROUPS_MAX + 1))
            if len(found) > GROUPS_MAX:
                raise NotForwarded("so many groups")
            for keys, numbers in found:
                there = keys[place] + moment.step * moment.direction
                moved.append((keys, tuple(-(number or 0) for number in numbers)))
                moved.append((keys[:place] + (there,) + keys[place + 1 :], numbers))
        return [
            (keys[:place] + (moment.bucket(keys[place]),) + keys[place + 1 :], numbers) for keys, numbers in rows + moved
        ]

    def _merge(self, rows):
        """Groups with the same keys as one; those that are empty now are gone."""
        known = [self._known(key, [keys[place] for keys, _numbers in rows]) for place, key in enumerate(self.keys)]
        merged = {}
        for index, (_keys, numbers) in enumerate(rows):
            keys = tuple(column[index] for column in known)
            if keys in merged:
                numbers = tuple((one or 0) + (other or 0) for one, other in zip(merged[keys], numbers))
            merged[keys] = numbers
        if "__count" in self.aggregates and self.moments:
            place = self.aggregates.index("__count")
            merged = {keys: numbers for keys, numbers in merged.items() if numbers[place]}
        return merged

    def _known(self, key, values):
        return self.model._known(key.field, values) if key.field.type == "many2one" else values

    def _sorted(self, rows):
        order = self.order or [(key.spec, False) for key in self.keys]
        specs = [key.spec for key in self.keys]
        for spec, down in reversed(order):
            if spec in specs:
                place = specs.index(spec)
                rank = self.keys[place].rank
                rows.sort(key=lambda row, place=place, rank=rank: rank(row[0][place]), reverse=down)
            else:
                place = self.aggregates.index(spec)
                rows.sort(key=lambda row, place=place: row[1][place] or 0, reverse=down)
        return rows


class Key:
    """What is grouped by."""

    def __init__(self, model, spec):
        self.model = model
        self.spec = spec
        self.name, _colon, self.granularity = spec.partition(":")
        self.field = _check_field(model, self.name)
        self.names = {}
        self.direction = 0
        if self.field.type == "datetime":
            self.granularity = self.granularity or "month"
            if self.granularity not in _STEPS:
                raise NotForwarded("the granularity %s" % self.granularity)
            self.base = _BASES[self.granularity]
            self.step = _STEPS[self.base]
            zone = model.env.context.get("tz")
            self.zone = pytz.timezone(zone) if zone in pytz.all_timezones_set else None
            self.asked = "%s:%s" % (self.name, self.base)
        elif self.granularity:
            raise NotForwarded("the key %s" % spec)
        else:
            self.asked = spec

    def parse(self, value):
        """A key as the service writes it."""
        if self.field.type == "boolean":
            return bool(value)
        if value is False or value is None:
            return None
        if self.granularity:
            return datetime.datetime.strptime(value[0], _FORMAT)
        if self.field.type == "many2one":
            number, name = value
            self.names[number] = name or ""
            return int(number)
        return value

    def rank(self, value):
        """Where it comes, nothing last."""
        if value is None:
            return (1, "")
        if self.field.type == "many2one":
            return (0, self.names.get(value, "").casefold())
        return (0, value.casefold() if isinstance(value, str) else value)

    def windows(self, starts):
        """The spans between a beginning in UTC and the same one on the user's clock."""
        if self.zone is None:
            return []
        found, directions = [], set()
        for start in sorted(starts | {start + self.step for start in starts}):
            local = self.zone.localize(start).astimezone(pytz.utc).replace(tzinfo=None)
            if local != start:
                # East of Greenwich a month begins earlier: its first hours are counted with the one before.
                directions.add(1 if local < start else -1)
                found.append((min(local, start), max(local, start), 0))
        if len(directions) > 1 or len(found) > WINDOWS_MAX:
            raise NotForwarded("the timezone %s" % self.zone.zone)
        if found:
            if self.base == "hour":
                raise NotForwarded("hours in a timezone")
            self.direction = directions.pop()
        return found

    def bucket(self, start):
        """The beginning of the user's period that a month, day or hour is in."""
        if start is None:
            return None
        if self.granularity == "week":
            return start - datetime.timedelta(days=(start.weekday() - compat.week_start(self.model.env)) % 7)
        if self.granularity == "quarter":
            return start.replace(month=start.month - (start.month - 1) % 3)
        if self.granularity == "year":
            return start.replace(month=1)
        return start


def _check_field(model, name):
    field = model._fields.get(name)
    if field is None or not field.store or not field.column_type or field.type == "binary":
        raise NotForwarded("the field %s" % name)
    if not compat.has_field_access(model, field):
        raise NotForwarded("a field that the user does not see")
    return field


def _parse_order(order, specs, aggregates):
    """Pairs of what is ordered by, and whether downwards."""
    parsed = []
    for part in (order or "").split(","):
        spec, *direction = part.split() or [""]
        direction = [word.lower() for word in direction]
        if not spec:
            continue
        # Until 16.0 a field is named without its granularity.
        spec = next((known for known in specs if spec in (known, known.partition(":")[0])), spec)
        if spec not in specs and spec not in aggregates or direction not in ([], ["asc"], ["desc"]):
            raise NotForwarded("the order %s" % order)
        parsed.append((spec, direction == ["desc"]))
    return parsed
