"""A browser as small as it gets: it reads forms, fills them in as a person would, and sends them."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

STEPS_MAX = 10


class Form(HTMLParser):
    """The first form of a page: where it goes, its fields, its buttons."""

    def __init__(self, html):
        super().__init__()
        self.action, self.method = None, "get"
        self.fields, self.buttons = {}, []
        self._inside = self._done = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and not self._done:
            self._inside = True
            self.action, self.method = attrs.get("action"), attrs.get("method", "get").lower()
        elif self._inside and tag in ("input", "button") and attrs.get("name"):
            value = attrs.get("value") or ""
            if tag == "button" or attrs.get("type") in ("submit", "image"):
                self.buttons.append((attrs["name"], value))
            elif attrs.get("type") not in ("checkbox", "radio") or "checked" in attrs:
                self.fields[attrs["name"]] = value

    def handle_endtag(self, tag):
        if tag == "form" and self._inside:
            self._inside, self._done = False, True


class Browser:
    """A browser of one person. It keeps its cookies, so that a second application finds him signed in."""

    # What the buttons of the consent page are called.
    decision_field = "decision"

    def __init__(self, login, password):
        self.login, self.password = login, password
        self.session = requests.Session()
        self.pages = []

    def authorize(self, url, redirect_uri, decision="allow"):
        """Opens an authorization request, signs in where asked, decides, and returns the address that the server sent the browser back to."""
        self.pages = []
        answer = self.session.get(url, allow_redirects=False, timeout=30)
        for _ in range(STEPS_MAX):
            if answer.is_redirect:
                location = urljoin(answer.url, answer.headers["Location"])
                if location.startswith(redirect_uri):
                    return location
                answer = self.session.get(location, allow_redirects=False, timeout=30)
                continue
            self.pages.append(answer)
            form = Form(answer.text)
            values = dict(form.fields)
            if "password" in form.fields:
                values.update(login=self.login, password=self.password)
            elif (self.decision_field, decision) in form.buttons:
                values[self.decision_field] = decision
            else:
                raise RuntimeError(f"{answer.status_code} and no form that can be filled in:\n{answer.text[:2000]}")
            if sum("password" in Form(page.text).fields for page in self.pages) > 1:
                raise RuntimeError(f"{self.login} can't sign in:\n{answer.text[:2000]}")
            answer = self.session.request(
                form.method.upper(), urljoin(answer.url, form.action or ""),
                **({"data": values} if form.method == "post" else {"params": values}),
                headers={"Origin": "{0.scheme}://{0.netloc}".format(urlsplit(answer.url))},
                allow_redirects=False, timeout=30,
            )
        raise RuntimeError("the pages lead nowhere")


def query_of(url):
    """The parameters of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
