"""For each of the service's models an ordinary one with the same fields, and a table of Odoo's own to keep them in.

Only what a field is comes from the service's models. How a record is searched, grouped, ordered, read and guarded is Odoo's.
"""

from odoo import api, fields, models

from odoo.addons.orest.models import orest_application, orest_authorization, orest_device, orest_model_scheme, orest_revocation

SOURCES = (
    orest_model_scheme.OrestModelScheme,
    orest_model_scheme.OrestModelConfiguration,
    orest_application.OrestApplication,
    orest_application.OrestApplicationUri,
    orest_device.OrestDevice,
    orest_revocation.OrestRevocation,
    orest_authorization.OrestAuthorization,
    orest_authorization.OrestAuthorizationCode,
)
TWINS = {source._name: source._name.replace("orest.", "orest.parity.") for source in SOURCES}


def _make(source):
    """The class of an ordinary model with the fields of one of the service's."""
    members = {
        "__module__": __name__,
        "_name": TWINS[source._name],
        "_description": source._description,
        # The service's fields create_uid, create_date, write_uid and write_date are values to copy.
        "_log_access": False,
    }
    for name in ("_order", "_rec_name"):
        if name in vars(source):
            members[name] = vars(source)[name]
    for name, field in vars(source).items():
        if isinstance(field, fields.Field) and not field.args.get("compute") and not field.args.get("related"):
            arguments = dict(field.args)
            if "comodel_name" in arguments:
                arguments["comodel_name"] = TWINS.get(arguments["comodel_name"], arguments["comodel_name"])
            members[name] = type(field)(**arguments)
    return type(models.Model)(source.__name__ + "Twin", (models.Model,), members)


for _source in SOURCES:
    _make(_source)


class ApplicationTwin(models.Model):
    _inherit = "orest.parity.application"

    @api.model
    def _name_search(self, name, args=None, operator="ilike", limit=100, name_get_uid=None):
        # As Odoo's own models of 14.0 with more than one name do it.
        domain = []
        if name:
            connective = "&" if operator in ("!=", "not ilike", "not like") else "|"
            domain = [connective, ("name", operator, name), ("client_id", operator, name)]
        return self._search(domain + list(args or []), limit=limit, access_rights_uid=name_get_uid)


class OrestParity(models.AbstractModel):
    _name = "orest.parity"
    _description = "Copies the service's records into ordinary tables"

    @api.model
    def fill(self):
        """Copies all records; gives how many there are of each model."""
        counts = {}
        for twin in reversed(list(TWINS.values())):
            self.env.cr.execute('DELETE FROM "%s"' % self.env[twin]._table)
        for source, twin in TWINS.items():
            records = self.env[source].with_context(active_test=False).search([], order="id")
            names = [name for name, field in self.env[twin]._fields.items() if field.store and field.column_type]
            columns = ", ".join('"%s"' % name for name in names)
            for row in records.read(names, load="_classic_write"):
                values = [self._column(twin, name, row[name]) for name in names]
                self.env.cr.execute(
                    'INSERT INTO "%s" (%s) VALUES %%s' % (self.env[twin]._table, columns), [tuple(values)]
                )
            counts[source] = len(records)
        self.env.cache.invalidate()
        return counts

    @api.model
    def _column(self, model, name, value):
        field = self.env[model]._fields[name]
        if value is False and field.type != "boolean":
            return None
        return field.convert_to_column(value, self.env[model])
