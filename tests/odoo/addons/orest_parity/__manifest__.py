{
    "name": "orest: parity",
    "summary": "Ordinary tables with the rows of the authorization service, for comparison in tests",
    "version": "14.0.1.0.0",
    "category": "Hidden",
    "author": "orest",
    "license": "LGPL-3",
    "depends": ["orest"],
    "post_init_hook": "copy_rights",
}
