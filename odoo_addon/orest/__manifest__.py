# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
{
    "name": "oREST",
    "summary": "See who let which application in, and take it back",
    "version": "19.0.1.0.0",
    "category": "Technical",
    "author": "orest",
    "license": "LGPL-3",
    "depends": ["base_setup", "web"],
    "external_dependencies": {"python": ["requests"]},
    "data": [
        "security/orest_security.xml",
        "security/ir.model.access.csv",
    ],
    "application": True,
    "installable": True,
}
