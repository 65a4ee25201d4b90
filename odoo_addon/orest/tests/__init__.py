from . import test_remote
from . import test_acts
from . import test_users
from . import test_tokens
from . import test_away
