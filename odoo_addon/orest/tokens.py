"""What an access token of the service may do in Odoo's own APIs.

A token is verified with the service on each call. What it says is kept with the call, and nothing of it is in a cache or in Odoo's
context, which callers can write.
"""

import inspect
import re
import threading
import time
from contextlib import contextmanager

from odoo import _, http
from odoo.exceptions import AccessDenied, AccessError

#: How access tokens begin (`src/domain/token.rs` of the service).
PREFIX = "orat_"
#: Where a bearer may show one. Elsewhere a key opens routes whose code knows nothing of scopes.
BEARER_PATH = "/json/2/"

#: What the scope `rpc.read` lets through: methods that read, in any series.
READING_METHODS = frozenset(
    """
    check_access_rights context_get default_get exists fields_get fields_view_get formatted_read_group
    formatted_read_grouping_sets get_metadata get_view get_views has_access has_group load_views name_get name_search
    read read_group read_progress_bar search search_count search_panel_select_multi_range search_panel_select_range
    search_read web_name_search web_read web_read_group web_search_read
    """.split()
)
#: Models by which a caller would get or make himself another credential, one that no revocation ends. Parameters have Odoo's own
#: secret, and the credential with the service.
CREDENTIAL_MODELS = frozenset(
    """
    ir.config_parameter res.users.apikeys res.users.apikeys.description res.users.apikeys.show res.users.identitycheck
    """.split()
)
#: Parameters of methods that name fields: one by one, in an order, as keys. Whatever else looks like a domain is one.
_LISTS = {
    "fields", "field_name", "field_names", "field_onchange", "allfields", "groupby", "group_by", "fields_to_export",
    "aggregates", "fields_list",
}  # fmt: skip
_ORDERS = {"order", "orderby"}
_VALUES = {"vals", "vals_list", "values", "default"}
_SPECIFICATIONS = {"specification", "unfold_read_specification", "groupby_read_specification", "fields_spec"}
#: Methods of every model that hand out values from the cache, where nobody asks whether they may be seen.
CACHE_METHODS = frozenset(["copy_data", "filtered", "filtered_domain", "grouped", "mapped", "sorted"])
#: A path of fields.
_PATH = re.compile(r"\w+(?:[./]\w+)*")
_ANY = ("any", "not any", "any!", "not any!")

_thread = threading.local()


def is_token(key):
    """Whether a key is for the service to judge."""
    return isinstance(key, str) and key.startswith(PREFIX)


def check_call(env, token, model, method, args, kwargs):
    """Refuses a call that the token does not let through.

    :raise AccessError: and what to tell the application's maker
    """
    Call(env, token, kwargs).check(model, method, args, kwargs)


def note(token):
    """Keeps the token that a call over `/jsonrpc` or `/xmlrpc` came with, or None, for :func:`calling`.

    These doors check the key and make the call in one thread, one after the other, and from 16.0 on without the request at hand.
    """
    _thread.noted = token


@contextmanager
def calling(uid):
    """The token that this call came with, for as long as it takes. A call within a call is held to the same."""
    outer, noted = getattr(_thread, "calling", None), getattr(_thread, "noted", None)
    # Noted by the check of this very call: Odoo repeats a call without checking anew.
    token = outer or (noted if noted is not None and noted.uid == uid else None)
    _thread.calling = token
    try:
        yield token
    finally:
        _thread.calling = outer


def current():
    """The verified token that the call at hand came with, if it did."""
    token = getattr(_thread, "calling", None)
    return token or (getattr(http.request, "orest_token", None) if http.request else None)


@contextmanager
def computing():
    """While a value is fetched that code of Odoo's needs, whoever it was that called it."""
    outer = getattr(_thread, "computing", False)
    _thread.computing = True
    try:
        yield
    finally:
        _thread.computing = outer


def asking():
    """The token of the call at hand, where fields are asked for by the caller himself."""
    return None if getattr(_thread, "computing", False) else current()


class Token:
    """What the service said of a token that it has just verified."""

    __slots__ = ("uid", "scopes", "limit", "models", "application")

    def __init__(self, answer):
        """
        :param answer: of the introspection (RFC 7662)
        :raise AccessDenied: the token is not good, or not for calls to Odoo
        """
        extension = answer.get("orest")
        subject, expires_at = answer.get("sub"), answer.get("exp")
        if answer.get("active") is not True or not isinstance(extension, dict):
            raise AccessDenied()
        if extension.get("kind") != "access_token" or not isinstance(subject, str) or not subject.isdecimal():
            raise AccessDenied()
        if expires_at is not None and (type(expires_at) is not int or expires_at <= time.time()):
            raise AccessDenied()
        self.uid = int(subject)
        self.scopes = frozenset(str(answer.get("scope") or "").split())
        if not self.scopes & {"rpc", "rpc.read"}:
            raise AccessDenied()
        self.application = str(extension.get("application") or "")
        scheme = extension.get("model_scheme") or {"model_limit": "none", "models": []}
        self.limit = scheme["model_limit"]
        self.models = {
            one["model"]: (one["field_limit"], frozenset(one["fields"])) for one in scheme.get("models") or ()
        }

    def __repr__(self):
        return "Token(uid=%s)" % self.uid

    def may_call(self, method):
        """Whether the scopes let the method through."""
        return "rpc" in self.scopes or method in READING_METHODS

    def may_use_model(self, model):
        """Whether the model scheme lets the model through. What it does not understand it refuses."""
        if model in CREDENTIAL_MODELS:
            return False
        if self.limit == "none":
            return True
        if self.limit == "blacklist":
            return model not in self.models
        return self.limit == "whitelist" and model in self.models

    def may_use_field(self, model, name):
        """Whether the model scheme lets the field of a model through that it lets through."""
        limit, names = self.models.get(model, ("none", frozenset()))
        if name == "id" or limit == "none":
            return True
        if limit == "blacklist":
            return name not in names
        return limit == "whitelist" and name in names


class Call:
    """A call with a token, that is looked at before it is made."""

    def __init__(self, env, token, kwargs):
        context = kwargs.get("context")
        lang = context.get("lang") if isinstance(context, dict) else None
        # Without a language the texts below would be translated by a cursor of the request's own.
        self.env = env(context={"lang": lang if isinstance(lang, str) else "en_US"})
        self.token = token

    def check(self, model, method, args, kwargs):
        """Refuses what the scopes or the model scheme don't let through.

        :raise AccessError: and what to tell the application's maker
        """
        token = self.token
        if not token.may_call(method):
            raise AccessError(_("The token's scope lets this application read only; %s is not a reading method.", method))
        self._check_model(model)
        if token.models or token.limit != "none":
            if method in CACHE_METHODS:
                raise AccessError(_("The application's model scheme does not let it call the method %s.", method))
            self._check_arguments(model, method, args, kwargs)

    def _check_model(self, model):
        if not self.token.may_use_model(model):
            raise AccessError(_("The application's model scheme does not let it use the model %s.", model))

    def _check_field(self, model, name):
        if not self.token.may_use_field(model, name):
            raise AccessError(
                _(
                    "The application's model scheme does not let it use the field %(field)s of the model %(model)s.",
                    field=name,
                    model=model,
                )
            )

    def _check_arguments(self, model, method, args, kwargs):
        """Looks through the arguments for fields and paths: a search by a hidden field tells its value as well as reading it."""
        if model not in self.env:
            return
        function = getattr(type(self.env[model]), method, None)
        named = list(kwargs.items())
        if callable(function):
            try:
                parameters = [
                    name
                    for name, parameter in inspect.signature(function).parameters.items()
                    if name != "self" and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                ]
            except ValueError:
                parameters = []
            if not getattr(function, "_api_model", False) and getattr(function, "_api", None) not in ("model", "model_create"):
                # The ids come first.
                parameters = ["ids", *parameters]
            # What is inherited as *args has no names: whatever looks like a domain is one, and a text may name fields.
            named += zip(parameters, args)
            named += [("", arg) for arg in args[len(parameters) :]]
        if method in ("name_search", "name_get", "web_name_search"):
            self._check_field(model, "display_name")
        if method.startswith("search_panel_select_"):
            self._check_search_panel(model, dict(named))
        for name, value in named:
            if name in _LISTS:
                self._check_texts(model, value)
            elif name in _ORDERS:
                self._check_texts(model, value)
            elif name == "progress_bar" and isinstance(value, dict):
                self._check_texts(model, [value.get("field"), value.get("sum_field")])
            elif name in _VALUES:
                for values in [value] if isinstance(value, dict) else value or ():
                    self._check_values(model, values)
            elif name in _SPECIFICATIONS and isinstance(value, dict):
                self._check_specification(model, value)
            elif name != "ids":
                self._check_domain(model, value)
                if not name:
                    self._check_texts(model, value)
        context = kwargs.get("context")
        if isinstance(context, dict):
            self._check_texts(model, context.get("group_by"))

    def _check_search_panel(self, model, named):
        """The values of a field are records of another model, and so are some parameters about those."""
        comodel = self._comodel(model, named.get("field_name"))
        if comodel:
            self._check_model(comodel)
            self._check_domain(comodel, named.get("comodel_domain"))
            self._check_texts(comodel, named.get("group_by"))

    def _check_texts(self, model, texts):
        """Every path in these texts: `user_id.login:month`, `last:max(user_id)`, `login desc`. Odoo's own patterns look over
        what stands around one, so each word counts.
        """
        for text in [texts] if isinstance(texts, str) else texts if isinstance(texts, (list, tuple, dict)) else ():
            if isinstance(text, str):
                for path in _PATH.findall(text):
                    self._check_path(model, path)

    def _check_path(self, model, path):
        """`user_id.partner_id/name`, from the model on."""
        if not isinstance(path, str):
            return
        names = re.split("[./]", path)
        for place, name in enumerate(names, 1):
            field = self.env[model]._fields.get(name)
            if field is None:
                return
            self._check_field(model, name)
            if field.relational:
                if place < len(names):
                    self._check_model(field.comodel_name)
                model = field.comodel_name

    def _comodel(self, model, path):
        """The model to which a path of relations leads, or None."""
        for name in re.split("[./]", path) if isinstance(path, str) else [""]:
            field = self.env[model]._fields.get(name) if model else None
            model = field.comodel_name if field is not None and field.relational else None
        return model

    def _check_domain(self, model, domain):
        """Whatever looks like a term, however deep."""
        if not isinstance(domain, (list, tuple)):
            return
        if len(domain) == 3 and isinstance(domain[0], str) and isinstance(domain[1], str) and domain[0] not in "&|!":
            self._check_path(model, domain[0])
            comodel = self._comodel(model, domain[0]) if domain[1].lower() in _ANY else None
            if comodel:
                self._check_model(comodel)
                self._check_domain(comodel, domain[2])
            return
        for part in domain:
            self._check_domain(model, part)

    def _check_values(self, model, values):
        if not isinstance(values, dict):
            return
        for name, value in values.items():
            self._check_path(model, name)
            field = self.env[model]._fields.get(name)
            if field is not None and field.type in ("one2many", "many2many") and isinstance(value, (list, tuple)):
                self._check_model(field.comodel_name)
                for command in value:
                    if isinstance(command, (list, tuple)) and len(command) == 3:
                        self._check_values(field.comodel_name, command[2])

    def _check_specification(self, model, specification):
        for name, inner in specification.items():
            self._check_path(model, name)
            field = self.env[model]._fields.get(name)
            if field is not None and field.relational and isinstance(inner, dict) and inner.get("fields"):
                self._check_model(field.comodel_name)
                self._check_specification(field.comodel_name, inner["fields"])
                self._check_texts(field.comodel_name, inner.get("order"))
