"""A client that drives OpenSSL's library record by record: it can hold a flight back, change its
keys, damage what it sends, and say what Python's ssl module cannot.
"""

import ctypes
import hmac
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ws_raw import READ_SIZE, RawClient

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
_SET_MIN_VERSION, _SET_MAX_VERSION, _SET_HOST_NAME = 123, 124, 55
_WANT_READ, _ZERO_RETURN = 2, 6
_SIZE = 65536

_ssl = ctypes.CDLL("libssl.so.3")
_crypto = ctypes.CDLL("libcrypto.so.3")
_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_long


def _declare(library, name, result, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_method = _declare(_ssl, "TLS_client_method", _POINTER)
_ctx_new = _declare(_ssl, "SSL_CTX_new", _POINTER, _POINTER)
_ctx_free = _declare(_ssl, "SSL_CTX_free", None, _POINTER)
_ctx_ctrl = _declare(_ssl, "SSL_CTX_ctrl", _LONG, _POINTER, _INT, _LONG, _POINTER)
_ctx_fragment = _declare(_ssl, "SSL_CTX_set_tlsext_max_fragment_length", _INT, _POINTER,
                         ctypes.c_uint8)
_ctx_suites = _declare(_ssl, "SSL_CTX_set_ciphersuites", _INT, _POINTER, ctypes.c_char_p)
_ctx_padding = _declare(_ssl, "SSL_CTX_set_block_padding", _INT, _POINTER, ctypes.c_size_t)
_KEYLOG = ctypes.CFUNCTYPE(None, _POINTER, ctypes.c_char_p)
_ctx_keylog = _declare(_ssl, "SSL_CTX_set_keylog_callback", None, _POINTER, _KEYLOG)
_new = _declare(_ssl, "SSL_new", _POINTER, _POINTER)
_free = _declare(_ssl, "SSL_free", None, _POINTER)
_ctrl = _declare(_ssl, "SSL_ctrl", _LONG, _POINTER, _INT, _LONG, _POINTER)
_set_bio = _declare(_ssl, "SSL_set_bio", None, _POINTER, _POINTER, _POINTER)
_set_connect = _declare(_ssl, "SSL_set_connect_state", None, _POINTER)
_handshake = _declare(_ssl, "SSL_do_handshake", _INT, _POINTER)
_error = _declare(_ssl, "SSL_get_error", _INT, _POINTER, _INT)
_read = _declare(_ssl, "SSL_read", _INT, _POINTER, ctypes.c_char_p, _INT)
_write = _declare(_ssl, "SSL_write", _INT, _POINTER, ctypes.c_char_p, _INT)
_key_update = _declare(_ssl, "SSL_key_update", _INT, _POINTER, _INT)
_renegotiate = _declare(_ssl, "SSL_renegotiate", _INT, _POINTER)
_shutdown = _declare(_ssl, "SSL_shutdown", _INT, _POINTER)
_mem = _declare(_crypto, "BIO_s_mem", _POINTER)
_bio_new = _declare(_crypto, "BIO_new", _POINTER, _POINTER)
_bio_read = _declare(_crypto, "BIO_read", _INT, _POINTER, ctypes.c_char_p, _INT)
_bio_write = _declare(_crypto, "BIO_write", _INT, _POINTER, ctypes.c_char_p, _INT)
_bio_ctrl = _declare(_crypto, "BIO_ctrl", _LONG, _POINTER, _INT, _LONG, _POINTER)
_take_error = _declare(_crypto, "ERR_get_error", ctypes.c_ulong)
_clear_errors = _declare(_crypto, "ERR_clear_error", None)
_BIO_SET_EOF_RETURN = 130


_REASON, _ALERT_REASON = 0x7FFFFF, 1000  # the reason of an error; from here on it is an alert


def _take_alert():
    """The number of the alert that the server sent, or None. The errors of a thread are one list,
    which Python's own ssl would find too: nothing stays in it."""
    reason = (_take_error() & _REASON) - _ALERT_REASON
    _clear_errors()
    return reason if reason >= 0 else None


class TlsBroken(Exception):
    """OpenSSL refused what came: a bad record, a fatal alert, or an end without close_notify."""


class OpenSslClient(RawClient):
    """The server's certificate is not verified: other tests do that."""

    def __init__(self, port, handshake=True, version=None, suite=None, fragment=0, padding=0,
                 **options):
        super().__init__(port, **options)
        self.context = _ctx_new(_method())
        if version is not None:
            _ctx_ctrl(self.context, _SET_MIN_VERSION, version, None)
            _ctx_ctrl(self.context, _SET_MAX_VERSION, version, None)
        if suite is not None:
            assert _ctx_suites(self.context, suite.encode()) == 1
        if fragment:
            assert _ctx_fragment(self.context, fragment) == 1
        if padding:
            assert _ctx_padding(self.context, padding) == 1
        self.secrets = {}  # by their label
        self.on_keylog = _KEYLOG(self._keep_secret)  # lives as long as OpenSSL may call it
        _ctx_keylog(self.context, self.on_keylog)
        self.ssl = _new(self.context)
        self.input, self.output = _bio_new(_mem()), _bio_new(_mem())
        _bio_ctrl(self.input, _BIO_SET_EOF_RETURN, -1, None)
        _set_bio(self.ssl, self.input, self.output)
        _ctrl(self.ssl, _SET_HOST_NAME, 0, b"localhost")
        _set_connect(self.ssl)
        self.ended_cleanly = False
        self.alert = None  # a fatal one of the server
        if handshake:
            self.send_bytes(self.handshake())

    def kill(self):
        super().kill()
        if self.ssl is not None:
            _free(self.ssl)
            _ctx_free(self.context)
            self.ssl = self.context = None

    def _keep_secret(self, _, line):
        label, _, secret = line.decode().split(" ")
        self.secrets[label] = bytes.fromhex(secret)

    # Records

    def records(self):
        """What OpenSSL wants to be sent."""
        data = b""
        buffer = ctypes.create_string_buffer(_SIZE)
        while (count := _bio_read(self.output, buffer, _SIZE)) > 0:
            data += buffer.raw[:count]
        return data

    def send_bytes(self, data):
        super().send(data)

    def feed(self, data):
        assert _bio_write(self.input, data, len(data)) == len(data)

    def handshake(self):
        """Returns the client's last flight (Finished), which is not yet sent."""
        while (result := _handshake(self.ssl)) != 1:
            if _error(self.ssl, result) != _WANT_READ:
                raise TlsBroken("handshake")
            self.send_bytes(self.records())
            self.sock.settimeout(self.timeout_s)
            data = self.sock.recv(READ_SIZE)
            if not data:
                raise TlsBroken("end of stream in the handshake")
            self.feed(data)
        return self.records()

    def encrypt(self, data):
        """The records that carry data, not yet sent."""
        assert _write(self.ssl, data, len(data)) == len(data)
        return self.records()

    def forged(self, sequence, inner_type, payload):
        """A record that OpenSSL would not make, under the client's first key, which must be of
        TLS_AES_128_GCM_SHA256 (RFC 8446 §5.2, §5.3, §7.1). sequence: records sent before it."""
        def expand(label, size):
            label = b"tls13 " + label
            info = struct.pack(">HB", size, len(label)) + label + b"\0\1"
            return hmac.digest(self.secrets["CLIENT_TRAFFIC_SECRET_0"], info, "sha256")[:size]

        inner = payload + bytes([inner_type])
        head = b"\x17\x03\x03" + struct.pack(">H", len(inner) + 16)
        nonce = int.from_bytes(expand(b"iv", 12), "big") ^ sequence
        return head + AESGCM(expand(b"key", 16)).encrypt(nonce.to_bytes(12, "big"), inner, head)

    def key_update(self, answer_wanted):
        """The KeyUpdate record, not yet sent; what is encrypted from here on has the next key."""
        assert _key_update(self.ssl, 1 if answer_wanted else 0) == 1
        assert _handshake(self.ssl) == 1
        return self.records()

    def renegotiate(self):
        """A TLS 1.2 client asks for a second handshake; not yet sent."""
        assert _renegotiate(self.ssl) == 1
        _handshake(self.ssl)
        return self.records()

    def close_notify(self):
        _shutdown(self.ssl)
        return self.records()

    # As RawClient

    def send(self, data):
        self.send_bytes(self.encrypt(data))

    def _decrypt(self):
        buffer = ctypes.create_string_buffer(_SIZE)
        while True:
            count = _read(self.ssl, buffer, _SIZE)
            if count > 0:
                self.buffer += buffer.raw[:count]
                continue
            error = _error(self.ssl, count)
            if error == _ZERO_RETURN:
                self.ended_cleanly = True
            elif error != _WANT_READ:
                self.alert = _take_alert()
                raise TlsBroken(f"a bad record, or alert {self.alert}")
            return

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing came in time; unread: {bytes(self.buffer[:200])!r}")
        self.sock.settimeout(left)
        data = self.sock.recv(READ_SIZE)
        if not data:
            if not self.ended_cleanly:
                raise TlsBroken("end of stream without close_notify")
            return False
        self.feed(data)
        self._decrypt()
        if answer := self.records():
            self.send_bytes(answer)
        return True
