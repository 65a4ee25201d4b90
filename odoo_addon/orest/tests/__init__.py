from . import test_remote
from . import test_acts
from . import test_users
from . import test_tokens
from . import test_away
from . import test_screens_dialog
from . import test_screens_web
