"""Goal: the property `proxy` leads both elements to a relay that nothing else finds, and a refusal
is an error of the pipeline without the password. Method: gst-launch-1.0 and a proxy of the test's.
"""

import pathlib
import sys

from relay_support import SOURCE, WAIT_S, main
from test_pipelines import TOKEN, PipelineTestCase

sys.path.insert(0, str(pathlib.Path(SOURCE) / "tests" / "client"))

import client_support  # noqa: E402  # pylint: disable=wrong-import-position


class Proxy(PipelineTestCase):
    def through(self, credentials, password):
        """The location by a name of the proxy's, and the options that lead there."""
        self.asked = []
        proxy = client_support.RawServer(client_support.connect_proxy(credentials, self.asked))
        self.addCleanup(proxy.close)
        location = self.server.location.replace("127.0.0.1", "relay.invalid")
        return (f"location={location} token-file={self.token_file} tls-verify=false "
                f"proxy=http://me:{password}@127.0.0.1:{proxy.port}")

    def test_a_camera_reaches_its_relay_through_it(self):
        options = self.through("bWU6cEBzcw==", "p%40ss")
        self.run_pipeline("videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48 ! jpegenc "
                          f"! relaysink wait-for-connection=true {options}")
        self.received(5)
        self.assertEqual(self.server.tokens, [TOKEN])
        self.assertRegex(self.asked[0][0], r"^CONNECT relay\.invalid:\d+ HTTP/1\.1$")

    def test_a_refusal_is_an_error_without_the_password(self):
        for element in ("relaysrc {} ! fakesink", "videotestsrc ! jpegenc ! relaysink {}"):
            options = self.through("bWU6cEBzcw==", "wrong-word")
            process = self.launch(element.format(options + " auto-reconnect=false"))
            output, _ = process.communicate(timeout=10 * WAIT_S)
            self.assertNotEqual(process.returncode, 0, output)
            self.assertIn("the proxy refuses: 407", output)
            self.assertNotIn("wrong-word", output)


if __name__ == "__main__":
    main()
