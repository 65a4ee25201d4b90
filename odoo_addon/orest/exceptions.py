"""What can be wrong between Odoo and the service. Each is a UserError with a sentence for a person."""

from odoo.exceptions import UserError


def _named_as_user_error(cls):
    """Clients know exceptions by name. Of one that it doesn't know, the web client shows an "Odoo Server Error" or "Oops!", and keeps the
    sentence to itself. The log still says which it was.
    """
    cls.__module__, cls.__name__ = UserError.__module__, UserError.__name__
    return cls


@_named_as_user_error
class ServiceError(UserError):
    """The service did not do what it was asked, for a reason that lies between the two of us."""

    #: Whether it may be otherwise in a moment.
    transient = False


@_named_as_user_error
class NotConfigured(ServiceError):
    """There is no address or no credential."""


@_named_as_user_error
class ServiceUnavailable(ServiceError):
    """Nobody answers, or too late, or says that the service's database does not."""

    transient = True


@_named_as_user_error
class ServiceSilent(ServiceUnavailable):
    """Nobody answered in time. Whoever asked at once again would wait as long."""


@_named_as_user_error
class Nonsense(ServiceError):
    """Whoever answers is not the service."""


@_named_as_user_error
class WrongCredential(ServiceError):
    """The service does not know the credential."""


@_named_as_user_error
class UnknownUser(ServiceError):
    """The service does not know the acting user yet."""


@_named_as_user_error
class TooManyRows(ServiceError):
    """The question can't be put to the service as it is, and there are too many records to answer it here."""
