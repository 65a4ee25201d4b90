from . import twins
from . import res_users
