from . import authorize
from . import status
