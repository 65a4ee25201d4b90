from odoo import _, api, models
from odoo.exceptions import AccessError

from .. import compat, tokens


class Base(models.AbstractModel):
    _inherit = "base"

    def _fetch_field(self, field):
        """What code needs to compute, and what is fetched along with it, is not what the application asked for."""
        with tokens.computing():
            return super()._fetch_field(field)

    def _search(self, *args, **kwargs):
        """What a search is by has been looked at where the call came in; core adds orders of its own."""
        if tokens.current() is None:
            return super()._search(*args, **kwargs)
        with tokens.computing():
            return super()._search(*args, **kwargs)

    if compat.SERIES >= 19:

        @api.model
        def _has_field_access(self, field, operation):
            """A token's model scheme holds below all transports, for what is asked with the user's own rights."""
            allowed = super()._has_field_access(field, operation)
            token = tokens.asking() if allowed and not self.env.su else None
            return allowed and (token is None or token.may_use_field(self._name, field.name))

    else:

        @api.model
        def check_field_access_rights(self, operation, fields):
            """A token's model scheme holds below all transports, for what is asked with the user's own rights."""
            names = super().check_field_access_rights(operation, fields)
            token = tokens.asking() if not self.env.su else None
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
