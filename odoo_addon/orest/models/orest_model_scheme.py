from odoo import fields, models

LIMIT = [("none", "None"), ("blacklist", "Blacklist"), ("whitelist", "Whitelist")]


class OrestModelScheme(models.Model):
    """Which models of this Odoo an application may touch with its tokens."""

    _name = "orest.model.scheme"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Model Scheme"
    _order = "name"

    name = fields.Char(required=True, help="What administrators call it.")
    description = fields.Text(help="What it is for.")
    active = fields.Boolean(default=True, help="An archived scheme can't be chosen.")
    model_limit = fields.Selection(
        LIMIT,
        required=True,
        default="none",
        help="None: every model. Blacklist: all but these. Whitelist: these only.",
    )
    configuration_ids = fields.One2many(
        "orest.model.configuration", "scheme_id", "Models", help="The models of the list."
    )
    application_ids = fields.One2many(
        "orest.application", "model_scheme_id", "Applications", help="Who is limited by it."
    )
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)


class OrestModelConfiguration(models.Model):
    """A model of a scheme, with a list of its fields."""

    _name = "orest.model.configuration"
    _inherit = "orest.remote"
    _auto = False
    _log_access = False
    _description = "REST API Model Configuration"
    _order = "model"
    _rec_name = "model"

    scheme_id = fields.Many2one("orest.model.scheme", required=True, help="The list that it belongs to.")
    model = fields.Char(required=True, help="Technical name, such as res.partner.")
    field_limit = fields.Selection(
        LIMIT,
        required=True,
        default="none",
        help="None: every field. Blacklist: all but these. Whitelist: these only.",
    )
    field_names = fields.Text("Fields", help="Technical names, separated by commas.")
    create_uid = fields.Many2one("res.users", "Created by", readonly=True)
    create_date = fields.Datetime("Created on", readonly=True)
    write_uid = fields.Many2one("res.users", "Last Updated by", readonly=True)
    write_date = fields.Datetime("Last Updated on", readonly=True)
