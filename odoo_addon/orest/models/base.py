from odoo import _, api, models
from odoo.exceptions import AccessError

from .. import compat, tokens


class Base(models.AbstractModel):
    _inherit = "base"

    if compat.SERIES >= 19:

        @api.model
        def _has_field_access(self, field, operation):
            """A token's model scheme holds below all transports, for what is done with the user's own rights."""
            allowed = super()._has_field_access(field, operation)
            token = tokens.current() if allowed and not self.env.su else None
            return allowed and (token is None or token.may_use_field(self._name, field.name))

    else:

        @api.model
        def check_field_access_rights(self, operation, fields):
            """A token's model scheme holds below all transports, for what is done with the user's own rights."""
            names = super().check_field_access_rights(operation, fields)
            token = tokens.current() if not self.env.su else None
            if token is None:
                return names
            allowed = [name for name in names if token.may_use_field(self._name, name)]
            if fields and len(allowed) < len(names):
                raise AccessError(
                    _(
                        "The application's model scheme does not let it use the fields %(fields)s of the model %(model)s.",
                        fields=", ".join(sorted(set(names) - set(allowed))),
                        model=self._name,
                    )
                )
            return allowed
