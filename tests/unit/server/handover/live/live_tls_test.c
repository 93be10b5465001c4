/* Goal: TLS goes on in another program: each record has its number and key, whichever program makes
 * or opens it, and a record that was cut by the move is whole. Method: two programs (programs.h);
 * peers make and open records with the other halves of the keys, and refuse all that is not the
 * next one. */
#include "server/handover/live/live_tls.h"

#include "server/conn/tls/transport_kernel.h"
#include "tests/unit/server/handover/live/programs.h"

static struct program *const first = &programs[0], *const second = &programs[1];
static struct peer publisher, viewer;
static struct conn *viewing;

static void open_suite(enum tls_suite suite)
{
    programs_open(2, 2);
    struct conn *publishing = program_join(first, 0, "t0", false, true, &publisher);

    viewing = program_join(first, 1, "t0", true, false, &viewer);
    for (unsigned i = 0; i < 5; i++) { /* the plain receives end */
        program_turn(first);
    }
    peer_secure(&publisher, publishing, suite);
    peer_secure(&viewer, viewing, suite);
}

static void open_programs(void)
{
    open_suite(TLS_AES_128_GCM);
}

static void close_programs(void)
{
    programs_close();
    peer_close(&publisher);
    peer_close(&viewer);
}

TestSuite(live_tls, .init = open_programs, .fini = close_programs);

static void settle(struct program *program)
{
    for (unsigned i = 0; i < 20; i++) {
        program_turn(program);
    }
}

static size_t seal_text(const char *text, uint8_t *records)
{
    uint8_t frame[1024];
    size_t len = frame_of(frame, FRAME_FIN | WS_OPCODE_TEXT, text, strlen(text));

    return peer_seal(&publisher, bytes_of(frame, len), records);
}

static void expect_passes(struct program *program, const char *text)
{
    uint8_t records[2048];

    peer_send(&publisher, bytes_of(records, seal_text(text, records)));
    peer_expect_text(program, &viewer, text);
}

static void move_there_and_back(void)
{
    expect_passes(first, "before");
    programs_move(first, second);
    expect_passes(second, "after");
    expect_passes(second, "and on");
    programs_move(second, first);
    expect_passes(first, "and back");
}

Test(live_tls, both_directions_go_on_under_their_keys)
{
    move_there_and_back();
}

Test(live_tls, suites_of_other_lengths_move_too, .init = NULL)
{
    open_suite(TLS_AES_256_GCM);
    move_there_and_back();
}

Test(live_tls, suites_without_aes_move_too, .init = NULL)
{
    open_suite(TLS_CHACHA20_POLY1305);
    move_there_and_back();
}

Test(live_tls, record_may_be_cut_anywhere)
{
    uint8_t records[2048];
    size_t len = 2;

    for (size_t cut = 1; cut < len; cut++) {
        struct program *from = &programs[cut % 2 == 1 ? 0 : 1];
        struct program *to = &programs[cut % 2 == 1 ? 1 : 0];

        len = seal_text("a record that is cut", records);
        peer_send(&publisher, bytes_of(records, cut));
        settle(from);
        programs_move(from, to);
        peer_send(&publisher, bytes_of(records + cut, len - cut));
        peer_expect_text(to, &viewer, "a record that is cut");
    }
}

/* Records that are made must go out as they are: their numbers are used up. */
Test(live_tls, records_that_are_made_go_on_at_the_byte)
{
    enum { COUNT = 6 };
    size_t len = 4 << 20;
    uint8_t *payload = malloc(len), *frame = malloc(len + 16), *records = malloc(2 * len);

    for (unsigned i = 0; i < COUNT; i++) {
        memset(payload, (int)('a' + i), len);
        struct bytes rest = bytes_of(
            records,
            peer_seal(&publisher,
                      bytes_of(frame, frame_of(frame, FRAME_FIN | WS_OPCODE_BINARY, payload, len)),
                      records));

        while (rest.len > 0) {
            ssize_t sent = send(publisher.fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);

            rest = bytes_skip(rest, sent > 0 ? (size_t)sent : 0);
            program_turn(first);
        }
    }
    settle(first);
    cr_assert_gt(viewing->subscriber.queue.count, 1);
    cr_assert_not_null(viewing->tls.output.records);
    cr_assert_gt(viewing->tls.output.sent, 0, "some are partly sent");
    programs_move(first, second);
    settle(second);
    programs_move(second, first);
    for (unsigned i = 0; i < COUNT; i++) {
        struct bytes heard;
        unsigned opcode;

        program_await(first, peer_next(&viewer, &opcode, &heard));
        memset(payload, (int)('a' + i), len);
        cr_assert(bytes_equal(heard, bytes_of(payload, len)));
    }
    free(payload);
    free(frame);
    free(records);
    expect_passes(first, "at last");
}

static void update_key(struct peer *peer, bool wants_answer)
{
    uint8_t update[] = {24, 0, 0, 1, wants_answer}, record[64];
    const struct iovec slice = {.iov_base = update, .iov_len = sizeof update};
    struct tls_plain plain = {.slices = &slice, .len = sizeof update};
    size_t len = tls_sealer_seal(&peer->records->sealer, TLS_CONTENT_HANDSHAKE, &plain, record);

    cr_assert(tls_cipher_update(&peer->records->sealer.cipher));
    peer_send(peer, bytes_of(record, len));
}

Test(live_tls, keys_that_were_changed_move)
{
    expect_passes(first, "under the first");
    update_key(&publisher, false);
    expect_passes(first, "under the second");
    programs_move(first, second);
    expect_passes(second, "still under the second");
    update_key(&publisher, false);
    expect_passes(second, "under the third");
}

/* The viewer's, which is asked for before the move and made after it. */
Test(live_tls, answer_to_a_change_of_keys_is_made_by_the_other_program)
{
    program_freeze(first);
    viewing->tls.records->answer_wanted = true;
    program_thaw(first);
    program_freeze(first);
    program_thaw(first);
    viewing->tls.records->answer_wanted = true;
    programs_move(first, second);
    cr_assert_eq(viewer.key_updates, 0);
    expect_passes(second, "under the next key");
    cr_assert_eq(viewer.key_updates, 1);
}

Test(live_tls, change_of_keys_on_the_way_is_followed_by_the_other_program)
{
    program_freeze(first);
    update_key(&publisher, true);
    program_thaw(first);
    programs_move(first, second);
    expect_passes(second, "under the next key");
    peer_listen(&publisher);
    program_await(second, (peer_listen(&publisher), publisher.key_updates == 1));
}

/* They came with close_notify behind them, in a receive that the hold did not stop. */
Test(live_tls, last_words_are_heard_by_the_viewers_in_the_other_program)
{
    uint8_t alert[] = {1, 0}, records[2048];
    const struct iovec slice = {.iov_base = alert, .iov_len = sizeof alert};
    struct tls_plain plain = {.slices = &slice, .len = sizeof alert};
    size_t len = seal_text("last words", records);

    len += tls_sealer_seal(&publisher.records->sealer, TLS_CONTENT_ALERT, &plain, records + len);
    struct conn *ending = program_newest(first, 0);

    program_freeze(first);
    ending->transport->on_received(ending, bytes_of(records, len));
    cr_assert(ending->peer_ended);
    cr_assert_eq(ending->phase, PHASE_WEBSOCKET);
    for (unsigned i = 0; i < 2; i++) {
        struct moved part = program_write(first, i);
        char error[256] = "";

        cr_assert(program_read(second, i, &part, error, sizeof error), "%s", error);
        moved_free(&part);
    }
    for (unsigned i = 0; i < 2; i++) {
        live_part_start(&second->tables[i]);
        live_part_let_go(&first->tables[i]);
    }
    peer_expect_text(second, &viewer, "last words");
    program_await(second, program_counted(second, 0, closed_by_peer) == 1);
}

Test(live_tls, records_go_on_after_a_thaw)
{
    expect_passes(first, "before");
    program_freeze(first);
    struct moved part = program_write(first, 1);
    char error[256];

    cr_assert(program_read(second, 1, &part, error, sizeof error));
    live_part_drop(&second->tables[1]);
    moved_free(&part);
    program_thaw(first);
    expect_passes(first, "on");
}

Test(live_tls, secrets_of_a_connection_that_was_given_are_gone)
{
    programs_move(first, second);
    cr_assert_eq(viewing->phase, PHASE_FREE);
    cr_assert_null(viewing->tls.records);
}

/* The kernel makes and opens the records; here there are none, which makes no difference. */
static void open_kernel(void)
{
    programs_open(2, 2);
    struct conn *publishing = program_join(first, 0, "t0", false, true, &publisher);

    viewing = program_join(first, 1, "t0", true, false, &viewer);
    publishing->transport = &transport_kernel;
    viewing->transport = &transport_kernel;
    viewing->tls.rekey = block_pool_take(&first->workers[1].blocks, sizeof *viewing->tls.rekey);
    *viewing->tls.rekey = (struct rekey){.suite = TLS_AES_256_GCM,
                                         .answer_wanted = false,
                                         .secrets = {.client_len = 48, .server_len = 48}};
    memset(viewing->tls.rekey->secrets.client, 0xc1, 48);
    memset(viewing->tls.rekey->secrets.server, 0x5e, 48);
}

Test(live_tls, keys_of_the_kernel_move_where_it_can_change_them, .init = open_kernel)
{
    struct rekey before = *viewing->tls.rekey;

    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, "before");
    peer_expect_text(first, &viewer, "before");
    programs_move(first, second);
    const struct conn *moved = program_newest(second, 1);

    cr_assert_eq(moved->transport, &transport_kernel);
    cr_assert_eq(moved->tls.rekey->suite, before.suite);
    cr_assert_eq(memcmp(&moved->tls.rekey->secrets, &before.secrets, sizeof before.secrets), 0);
    cr_assert_not(moved->tls.rekey->answer_wanted);
    cr_assert_eq(program_newest(second, 0)->transport, &transport_kernel);
    cr_assert_null(program_newest(second, 0)->tls.rekey);
    peer_say(&publisher, FRAME_FIN | WS_OPCODE_TEXT, "after");
    peer_expect_text(second, &viewer, "after");
}

Test(live_tls, answer_that_the_kernel_owes_moves, .init = open_kernel)
{
    program_freeze(first);
    viewing->tls.rekey->answer_wanted = true;
    struct moved part = program_write(first, 1);
    char error[256];

    cr_assert(program_read(second, 1, &part, error, sizeof error), "%s", error);
    cr_assert(program_newest(second, 1)->tls.rekey->answer_wanted);
    live_part_drop(&second->tables[1]);
    viewing->tls.rekey->answer_wanted = false;
    moved_free(&part);
    program_thaw(first);
}

/* Any byte of it may be another one. */
Test(live_tls, part_that_is_damaged_hurts_no_program)
{
    uint8_t records[2048];

    peer_send(&publisher, bytes_of(records, seal_text("cut", records) - 1));
    settle(first);
    program_freeze(first);
    struct moved whole = program_write(first, 0);

    program_read_damaged(second, &whole);
    close(whole.fds[0]);
    moved_free(&whole);
    program_thaw(first);
}
