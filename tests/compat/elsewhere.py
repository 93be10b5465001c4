"""Rows of docs/compatibility.md whose test stands in another folder. test_table.py checks that each
of these tests is there."""

from rows import SAME, Row


def protocol(behaviour, practable, ours, decision, test):
    return Row("WebSocket", behaviour, practable, ours, decision, test)


def faults(behaviour, practable, ours, test, decision="F"):
    return Row("Faults", behaviour, practable, ours, decision, test)


ROWS = [
    # Sessions and codes
    Row("/session", "a code opens one WebSocket, once", "yes", SAME, "",
        "tests/e2e/test_upgrade.py: test_a_code_opens_one_websocket_once"),
    Row("/session", "a code after its 30 seconds", "works until the next sweep, up to 91 s", "401",
        "K4", "tests/e2e/test_upgrade.py: test_a_code_is_refused_after_its_time"),
    Row("Tokens", "no `exp`", "handler crashes, connection reset", "401", "F",
        "tests/e2e/test_access.py: test_a_token_without_times"),
    Row("Tokens", "`nbf` and `iat` a few seconds ahead", "500", "accepted up to 30 s", "K7",
        "tests/e2e/test_access.py: test_clocks_may_differ_a_little"),
    Row("HTTP", "several requests on one connection", "`Connection: close` after each",
        "kept alive", "K2",
        "tests/e2e/test_http_faults.py: test_one_connection_serves_request_after_request"),
    Row("HTTP", "a request of HTTP/1.0", "answered in kind", SAME, "",
        "tests/e2e/test_http_faults.py: test_http_1_0_is_answered_in_kind_and_closed"),
    Row("HTTP", "no CORS fields and no Server field by default", "yes", SAME, "",
        "tests/e2e/test_access.py: test_no_cors_and_no_server_fields"),
    Row("HTTP", "HEAD where GET is served", "405", "as GET, without content", "F",
        "tests/e2e/test_http_standards.py: test_head_is_served_where_get_is"),
    Row("HTTP", "a method that HTTP does not know", "405", "501", "F",
        "tests/e2e/test_http_standards.py: test_unknown_methods"),
    Row("HTTP", "401", "without `WWW-Authenticate`", "names the scheme `Bearer`", "F",
        "tests/e2e/test_http_standards.py: test_401_names_the_scheme"),

    # Opening a WebSocket
    protocol("paths other than /session/<topic>",
             "404 `Not Found`, `X-Content-Type-Options: nosniff`", SAME, "",
             "tests/e2e/test_upgrade.py: test_other_paths"),
    protocol("`//session/t0`", "301 to the clean path", SAME, "",
             "tests/e2e/test_upgrade.py: "
             "test_a_path_with_doubled_slashes_is_redirected_to_the_clean_one"),
    protocol("not an upgrade, another version, no key",
             "400 `Bad Request`, `Sec-Websocket-Version: 13`", SAME, "",
             "tests/e2e/test_upgrade.py: test_requests_that_are_no_proper_upgrade"),
    protocol("an upgrade that is no GET", "405 `Method Not Allowed`", SAME, "",
             "tests/e2e/test_upgrade.py: test_only_get_upgrades"),
    protocol("subprotocol `null`, as old players offer it", "echoed where offered", SAME, "",
             "tests/e2e/test_upgrade.py: test_the_subprotocol_null_is_echoed_where_offered"),
    protocol("compression", "never negotiated", SAME, "",
             "tests/e2e/test_upgrade.py: "
             "test_the_answer_has_the_fields_of_the_standard_and_no_others"),
    protocol("the first `code` of the query counts", "yes", SAME, "",
             "tests/e2e/test_upgrade.py: "
             "test_the_first_code_of_several_counts_and_other_parameters_are_ignored"),
    protocol("a topic with a slash", "yes", SAME, "",
             "tests/e2e/test_upgrade.py: test_a_topic_with_a_slash"),

    # Messages
    protocol("a message goes to everybody else on the topic, with type and bytes as they are",
             "yes, also empty messages", SAME, "",
             "tests/e2e/test_relaying.py: test_type_and_bytes_are_kept"),
    protocol("a text message that is not UTF-8",
             "relayed: every browser on the topic fails its connection (RFC 6455 §8.1)",
             "closes its sender with 1007 and reaches no client; `RELAY_TEXT_UTF8=pass` relays it",
             "F", "tests/e2e/test_text.py: test_in_one_frame"),
    protocol("two clients chat", "yes", SAME, "",
             "tests/e2e/test_relaying.py: test_two_independent_peers_chat"),
    protocol("messages from a reader", "discarded in silence; the connection stays", SAME, "",
             "tests/e2e/test_relaying.py: "
             "test_messages_of_readers_are_discarded_and_the_connection_stays"),
    protocol("writers without `read` receive nothing", "yes", SAME, "",
             "tests/e2e/test_relaying.py: test_writers_without_read_receive_nothing"),
    protocol("topics are isolated", "yes", SAME, "",
             "tests/e2e/test_relaying.py: test_topics_are_isolated"),
    protocol("data for late joiners", "none", SAME, "",
             "tests/e2e/test_relaying.py: test_nothing_is_kept_for_late_joiners"),
    protocol("10 MiB pass, one byte more closes with 1009", "yes", SAME, "",
             "tests/e2e/test_relaying.py: test_one_byte_more_closes_with_1009"),
    protocol("fragments of a client arrive as one message", "yes", SAME, "",
             "tests/e2e/test_relaying.py: test_fragments_arrive_as_one_message"),
    protocol("frames of the server", "above 4096 bytes in two or more fragments",
             "one frame for each message", "K5",
             "tests/e2e/test_relaying.py: "
             "test_every_length_around_the_limits_of_header_and_buffer"),

    # Liveness and closing
    protocol("pings of the server", "empty, every 54 s", "empty, every 25 s", "F",
             "tests/e2e/test_protocol.py: test_the_server_pings_with_an_empty_payload"),
    protocol("no pong", "for 60 s: the TCP connection is closed",
             "within 28 s after a ping: the TCP connection is closed", "F",
             "tests/e2e/test_protocol.py: test_without_a_pong_the_stream_ends"),
    protocol("pings of a client", "answered with the same payload", SAME, "",
             "tests/e2e/test_protocol.py: test_a_ping_is_answered_with_its_payload"),
    protocol("unasked pongs", "ignored", SAME, "",
             "tests/e2e/test_protocol.py: test_unasked_pongs_are_ignored"),
    protocol("a close of the client", "its code comes back, then FIN", SAME, "",
             "tests/e2e/test_protocol.py: "
             "test_a_close_is_answered_with_its_code_and_the_end_of_the_stream"),
    protocol("protocol faults", "close 1002 with a reason such as `bad opcode 3`", SAME, "",
             "tests/e2e/test_protocol.py: test_faults_of_single_frames"),
    protocol("the token of a connection expires", "TCP closed in that second (1006)",
             "close 4401 in that second", "K3",
             "tests/e2e/test_upgrade.py: "
             "test_a_connection_is_closed_with_4401_when_its_token_expires"),

    # Faults
    faults("a burst of messages", "joined into one message of the first one's type",
           "40 messages sent are 40 received",
           "tests/e2e/test_relaying.py: test_a_burst_of_40_messages_arrives_as_40_messages", "K5"),
    faults("one stalled viewer", "its newest messages are dropped, an error line for each",
           "the others get everything as fast as without it",
           "tests/e2e/test_stalled_viewer.py: "
           "test_the_others_get_everything_as_fast_as_without_it"),
    faults("what a stalled viewer gets when it reads again", "up to 30 s of stale messages",
           "nothing older than RELAY_QUEUE_AGE",
           "tests/e2e/test_stalled_viewer.py: test_old_messages_are_not_kept_for_it", "K5"),
    faults("the secret in the log", "its first and last letters, at debug level", "never",
           "tests/e2e/test_secrecy.py: test_logs_at_every_level"),
    faults("stop while connections are busy", "waits for SIGKILL", "within 5 s",
           "tests/e2e/test_shutdown.py: test_a_busy_server_ends_in_time"),
    faults("TLS", "none, nginx only", "in the relay itself, where wanted",
           "tests/tls/test_handshake.py: test_every_suite_of_tls_1_3_takes_the_expected_transport"),
    faults("a token that is refused, in the command line client", "retried for ever in silence",
           "an error in the log, and retried",
           "tests/client/test_file.py: "
           "test_a_refused_token_is_an_error_in_the_log_and_retried"),
    faults("a server that accepts and closes at once", "clients come again without a pause",
           "clients of ours wait longer each time",
           "tests/client/test_connecting.py: "
           "test_a_server_that_accepts_and_closes_is_not_hammered"),

    # Command line
    Row("Command line", "RELAY_BUFFER_SIZE out of range", "256, with a warning", SAME, "",
        "tests/e2e/test_startup.py: test_a_buffer_size_out_of_range_is_replaced_with_a_warning"),
    Row("Command line", "RELAY_STATS_EVERY=x",
        "`cannot parse duration in RELAY_STATS_EVERY=x` on stdout, status 1", SAME, "",
        "tests/e2e/test_startup.py: test_the_wording_for_a_bad_duration"),
    Row("Command line", "an empty variable", "as if it were not set", SAME, "",
        "tests/e2e/test_startup.py: test_empty_variables_are_as_if_they_were_not_set"),
    Row("Command line", "`relay version`", "version and time of the build", SAME, "",
        "tests/e2e/test_startup.py: test_version"),
    Row("Command line", "`relay token`: claims, order and bytes", "yes", SAME, "",
        "tests/e2e/test_token_cli.py: test_bytes_are_those_of_another_library"),
    Row("Command line", "`relay token`: order of scopes", "relay:admin, write, read, other", SAME,
        "", "tests/e2e/test_token_cli.py: test_scopes_in_order"),
    Row("Command line", "`relay token`: an option is missing",
        "`RELAY_TOKEN_X not set` on stdout, status 1", SAME, "",
        "tests/e2e/test_token_cli.py: test_each_missing_option_is_told_on_stdout"),
    Row("Command line", "a proxy in the environment (`HTTPS_PROXY`, …)",
        "used by its clients", SAME, "",
        "tests/client/test_connecting.py: test_proxies_of_the_environment_are_used"),
    Row("Command line", "`relay client file`: a line of text",
        "`[2022-03-13T19:15:32.015Z] text`, local time", SAME, "",
        "tests/client/test_file.py: test_lines_with_local_time"),
    Row("Command line", "`relay client file`: SIGHUP", "opens the file again", SAME, "",
        "tests/client/test_file.py: test_rotation_loses_nothing_and_appends"),
    Row("Command line", "`relay client file`: binary mode", "the bytes and nothing else", SAME,
        "", "tests/client/test_file.py: test_binary_mode_writes_bytes_and_nothing_else"),
]
