"""A service that is away, slow, or no service at all: a person is told in a sentence, the users form opens, nothing is accepted."""

import contextlib
import socket
import threading
import time

from odoo.exceptions import UserError
from odoo.http import serialize_exception
from odoo.tests.common import TransactionCase, tagged
from odoo.tools import mute_logger

from .. import client, compat
from ..exceptions import Nonsense, NotConfigured, ServiceUnavailable, WrongCredential
from ..models import orest_service
from .common import ServiceMixin


class Listener:
    """A socket that answers every connection in one way."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = "http://127.0.0.1:%s" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _peer = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        # Whoever asked may have hung up.
        with connection, contextlib.suppress(OSError):
            self.requests.append(connection.recv(65536))
            self.answer(connection)

    def close(self):
        # A thread that waits in accept is not woken by close alone.
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def http(status, body=b"", headers=""):
    """An answer of HTTP."""
    return (
        "HTTP/1.1 %s\r\nContent-Length: %s\r\nConnection: close\r\nContent-Type: application/json\r\n%s\r\n"
        % (status, len(body), headers)
    ).encode() + body


@tagged("post_install", "-at_install")
class TestAway(ServiceMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.connect()
        self.user = self.new_user("Uma")
        self.token, self.authorization = self.new_token(self.user)

    @contextlib.contextmanager
    def service_is(self, answer):
        """A service that answers so."""
        listener = Listener(answer)
        self.addCleanup(listener.close)
        self.move_service(listener.address)
        orest_service._failures.pop(self.env.cr, None)
        compat.invalidate_all(self.env)
        yield listener

    def check(self, kind):
        """A sentence for the list; the users form opens; nothing is acted or accepted."""
        model = self.env["orest.authorization"]
        with self.assertLogs("odoo.addons.orest", "WARNING") as logs:
            with self.assertRaises(kind) as caught:
                model.search([])
            sentence = caught.exception.args[0]
            self.assertIsInstance(caught.exception, UserError)
            self.assertRegex(sentence, r"^[A-Z].*[.?]$")
            # The web client goes by the name, and shows the sentence only of those that it knows.
            self.assertEqual(serialize_exception(caught.exception)["name"], "odoo.exceptions.UserError")
            user = self.env["res.users"].browse(self.user.id)
            self.assertFalse(user.orest_authorization_ids)
            self.assertEqual(user.orest_problem, sentence)
            with self.assertRaises(kind):
                self.authorization.action_revoke_tokens()
            with self.assertRaises(kind):
                self.service._introspect(self.token)
        self.assertNotIn(self.service._credential(), "".join(logs.output) + sentence)
        self.assertNotIn(self.token, "".join(logs.output) + sentence)
        return sentence

    def test_nobody_listens(self):
        listener = Listener(lambda connection: None)
        listener.close()
        self.move_service(listener.address)
        self.check(ServiceUnavailable)

    def test_the_connection_is_cut(self):
        with self.service_is(lambda connection: None):
            self.check(ServiceUnavailable)

    def test_slow(self):
        self.patch_timeouts(0.3)
        with self.service_is(lambda connection: time.sleep(2)):
            started = time.monotonic()
            self.assertIn("too long", self.check(ServiceUnavailable))
            self.assertLess(time.monotonic() - started, 2, "one wait a transaction")

    def test_who_asks_next_does_not_wait_too(self):
        self.patch_timeouts(0.3)
        with self.service_is(lambda connection: time.sleep(2)) as listener:
            for asked in (1, 1, 2):
                if asked == 2:
                    orest_service._silent.clear()
                # As another transaction of the same worker.
                orest_service._failures.pop(self.env.cr, None)
                with mute_logger("odoo.addons.orest.models.orest_service"), self.assertRaises(ServiceUnavailable):
                    self.service._introspect(self.token)
                self.assertEqual(len(listener.requests), asked)

    def test_drop_by_drop(self):
        self.patch_timeouts(0.3)

        def drip(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
            for _count in range(100):
                connection.sendall(b" ")
                time.sleep(0.1)

        with self.service_is(drip):
            started = time.monotonic()
            self.assertIn("too long", self.check(ServiceUnavailable))
            self.assertLess(time.monotonic() - started, 2, "not until the last drop")

    def patch_timeouts(self, seconds):
        for name in ("CONNECT_TIMEOUT", "READ_TIMEOUT", "ACT_TIMEOUT"):
            self.addCleanup(setattr, client, name, getattr(client, name))
            setattr(client, name, seconds)

    def test_nonsense(self):
        for body in (b"<html>It works!</html>", b"\xff\xfe", b"null", b"[]", b'{"result": 1}', b"[1, 2]", b'[{"id": "1"}]', b""):
            with self.service_is(lambda connection, body=body: connection.sendall(http("200 OK", body))):
                if body == b"[]":
                    self.assertFalse(self.env["orest.authorization"].search([]))
                    continue
                with self.assertRaises(Nonsense):
                    self.env["orest.authorization"].search([("id", "=", 1)])
                with self.assertRaises(Nonsense):
                    self.service._introspect(self.token)
                self.assertFalse(self.env["res.users"].browse(self.user.id).orest_authorization_ids)
        with self.service_is(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")):
            self.check(ServiceUnavailable)

    def test_rows_with_wrong_values(self):
        row = b'[{"id": 1, "state": "live", "create_date": "yesterday", "user_id": "x", "active": 5}]'
        with self.service_is(lambda connection: connection.sendall(http("200 OK", row))), self.assertRaises(Nonsense):
            self.env["orest.authorization"].search([("id", "=", 1)]).read(["create_date", "user_id"])

    def test_a_wrong_credential(self):
        with self.service_is(lambda connection: connection.sendall(http("401 Unauthorized", b"{}"))):
            self.assertIn("orest pair", self.check(WrongCredential))

    def test_try_again(self):
        with self.service_is(lambda connection: connection.sendall(http("503 Service Unavailable", b"{}"))):
            self.check(ServiceUnavailable)

    def test_the_credential_follows_no_redirect(self):
        reached = Listener(lambda connection: connection.sendall(http("200 OK", b"[]")))
        self.addCleanup(reached.close)
        headers = "Location: %s/json/2/x\r\n" % reached.address
        with self.service_is(lambda connection: connection.sendall(http("307 Temporary Redirect", headers=headers))):
            self.assertIn(reached.address, self.check(Nonsense))
        self.assertFalse(reached.requests)

    def test_what_the_service_is_told(self):
        with self.service_is(lambda connection: connection.sendall(http("200 OK", b"[]"))) as listener:
            self.env["orest.authorization"].with_user(self.user).search([("user_id", "=", self.user.id)])
        head = listener.requests[0].split(b"\r\n\r\n")[0].decode()
        self.assertIn("POST /json/2/orest.authorization/search_read ", head)
        self.assertIn("\r\nX-Orest-User: %s\r\n" % self.user.id, head)
        self.assertRegex(head, r"X-Orest-Module: %s\.0\.1\.0\.0" % compat.SERIES)
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        self.assertIn("\r\nX-Orest-Database: %s\r\n" % uuid, head)
        self.assertIn("\r\nAuthorization: Bearer %s" % self.service._credential(), head)

    def test_not_connected(self):
        for address in ("ftp://example.com", "example.com", "http://"):
            self.move_service(address)
            with self.assertRaises(NotConfigured):
                self.env["orest.authorization"].search([])
            self.assertFalse(self.env["res.users"].browse(self.user.id).orest_authorization_ids)
