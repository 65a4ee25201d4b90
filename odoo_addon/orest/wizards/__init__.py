from . import orest_revoke_wizard
from . import orest_secret_show
