"""What can be wrong between Odoo and the service. Each is a UserError with a sentence for a person."""

from odoo.exceptions import UserError


class ServiceError(UserError):
    """The service did not do what it was asked, for a reason that lies between the two of us."""

    #: Whether it may be otherwise in a moment.
    transient = False

    def __init_subclass__(cls, **arguments):
        super().__init_subclass__(**arguments)
        _rename(cls)


def _rename(cls):
    """Clients know exceptions by name. Of one that it doesn't know, the web client shows an "Odoo Server Error" or "Oops!", and keeps the
    sentence to itself. The log still says which it was.
    """
    cls.__module__, cls.__name__ = UserError.__module__, UserError.__name__


_rename(ServiceError)


class NotConfigured(ServiceError):
    """There is no address or no credential."""


class ServiceUnavailable(ServiceError):
    """Nobody answers, or too late, or says that the service's database does not."""

    transient = True


class ServiceSilent(ServiceUnavailable):
    """Nobody answered in time. Whoever asked at once again would wait as long."""


class Nonsense(ServiceError):
    """Whoever answers is not the service."""


class WrongCredential(ServiceError):
    """The service does not know the credential."""


class UnknownUser(ServiceError):
    """The service does not know the acting user yet."""


class TooManyRows(ServiceError):
    """The question can't be put to the service as it is, and there are too many records to answer it here."""
