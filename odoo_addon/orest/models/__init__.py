from . import orest_service
from . import orest_remote
from . import orest_application
from . import orest_authorization
from . import orest_device
from . import orest_model_scheme
from . import orest_revocation
from . import res_users
