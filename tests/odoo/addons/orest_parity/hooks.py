from odoo import SUPERUSER_ID, api

from .models.twins import TWINS


def copy_rights(cr, _registry):
    """Gives the tables the rights and record rules of the models that they are compared with."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    for model in ("ir.model.access", "ir.rule"):
        for source, twin in TWINS.items():
            for record in env[model].search([("model_id.model", "=", source)]):
                record.copy({"model_id": env["ir.model"]._get_id(twin), "name": "parity: %s" % record.name})
