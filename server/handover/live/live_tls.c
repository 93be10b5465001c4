#include "server/handover/live/live_tls.h"

#include <string.h>

#include "base/check.h"
#include "server/conn/tls/transport_kernel.h"
#include "server/conn/tls/transport_records.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/tls/record/tls_records.h"

enum { FIELDS_BYTES = 512 };

static const struct transport_ops *const transports[] = {
    [LIVE_TRANSPORT_PLAIN] = &transport_plain,
    [LIVE_TRANSPORT_RECORDS] = &transport_records,
    [LIVE_TRANSPORT_KERNEL] = &transport_kernel,
};

static const struct live_scalar of_records[] = {
    LIVE_SCALAR_COUNT(struct tls_records, opener.cipher.sequence, LIVE_WEBSOCKET_OPENED),
    LIVE_SCALAR_COUNT(struct tls_records, sealer.cipher.sequence, LIVE_WEBSOCKET_SEALED),
    LIVE_SCALAR_BOOL(struct tls_records, answer_wanted, LIVE_WEBSOCKET_ANSWER_WANTED),
    LIVE_SCALAR_COUNT(struct tls_records, opener.idle, LIVE_WEBSOCKET_IDLE_RECORDS),
    LIVE_SCALAR_COUNT(struct tls_records, opener.key_updates, LIVE_WEBSOCKET_KEY_UPDATES),
    LIVE_SCALAR_COUNT(struct tls_records, opener.data_records, LIVE_WEBSOCKET_DATA_RECORDS),
};

uint64_t live_tls_transport(const struct conn *conn)
{
    uint64_t number = 0;

    while (transports[number] != conn->transport) {
        number++;
        CHECK(number < ARRAY_LENGTH(transports));
    }
    return number;
}

const struct transport_ops *live_tls_transport_of(uint64_t number)
{
    return number < ARRAY_LENGTH(transports) ? transports[number] : NULL;
}

/* One whose numbers have run out is about to end. */
static bool can_go_on(const struct tls_records *records)
{
    return records->opener.cipher.sequence != UINT64_MAX &&
           records->sealer.cipher.sequence != UINT64_MAX;
}

bool live_tls_may_move(const struct conn *conn)
{
    if (conn->transport == &transport_records) {
        return can_go_on(conn->tls.records);
    }
    return conn->transport == &transport_plain || conn->transport == &transport_kernel;
}

static struct bytes unsent(const struct conn *conn)
{
    const struct tls_output *output = &conn->tls.output;

    return output->records == NULL
               ? bytes_of(NULL, 0)
               : bytes_of(output->records + output->sent, output->len - output->sent);
}

size_t live_tls_size(const struct conn *conn)
{
    return FIELDS_BYTES + unsent(conn).len + transport_records_partial(conn).len;
}

/* Writing */

static void write_secrets(struct handover_writer *writer, enum tls_suite suite,
                          const uint8_t *client, const uint8_t *server)
{
    size_t len = tls_suite_secret_bytes(suite);

    handover_writer_number(writer, LIVE_WEBSOCKET_SUITE, tls_suite_id(suite));
    handover_writer_bytes(writer, LIVE_WEBSOCKET_CLIENT_SECRET, bytes_of(client, len));
    handover_writer_bytes(writer, LIVE_WEBSOCKET_SERVER_SECRET, bytes_of(server, len));
}

static void write_records(struct handover_writer *writer, const struct conn *conn)
{
    const struct tls_records *records = conn->tls.records;

    write_secrets(writer, records->opener.cipher.suite, records->opener.cipher.secret,
                  records->sealer.cipher.secret);
    live_scalars_write(writer, of_records, ARRAY_LENGTH(of_records), records, conn->worker);
    handover_writer_bytes(writer, LIVE_WEBSOCKET_PARTIAL, transport_records_partial(conn));
    if (conn->tls.output.records != NULL) {
        handover_writer_bytes(writer, LIVE_WEBSOCKET_RECORDS, unsent(conn));
        handover_writer_number(writer, LIVE_WEBSOCKET_RECORDS_PLAIN, conn->tls.output.plain_len);
    }
}

static void write_rekey(struct handover_writer *writer, const struct rekey *rekey)
{
    write_secrets(writer, rekey->suite, rekey->secrets.client, rekey->secrets.server);
    handover_writer_number(writer, LIVE_WEBSOCKET_ANSWER_WANTED, rekey->answer_wanted);
}

void live_tls_write(struct handover_writer *writer, const struct conn *conn)
{
    if (conn->transport == &transport_records) {
        write_records(writer, conn);
    } else if (conn->transport == &transport_kernel && conn->tls.rekey != NULL) {
        write_rekey(writer, conn->tls.rekey);
    }
}

/* Reading */

static struct bytes field(const struct handover_record *record, uint16_t id)
{
    struct bytes bytes;

    return handover_reader_bytes(record, id, &bytes) ? bytes : bytes_of(NULL, 0);
}

static bool read_secret(const struct handover_record *record, uint16_t id, enum tls_suite suite,
                        uint8_t *secret, size_t *ret_len)
{
    struct bytes bytes = field(record, id);

    if (bytes.len != tls_suite_secret_bytes(suite)) {
        return false;
    }
    memcpy(secret, bytes.data, bytes.len);
    *ret_len = bytes.len;
    return true;
}

static bool read_secrets(const struct handover_record *record, enum tls_suite *ret_suite,
                         struct tls_secrets *ret_secrets)
{
    uint64_t id;

    *ret_secrets = (struct tls_secrets){0};
    if (!handover_reader_number(record, LIVE_WEBSOCKET_SUITE, &id) || id > UINT16_MAX ||
        tls_suite_of((uint16_t)id) == TLS_SUITE_COUNT) {
        return false;
    }
    *ret_suite = tls_suite_of((uint16_t)id);
    return read_secret(record, LIVE_WEBSOCKET_CLIENT_SECRET, *ret_suite, ret_secrets->client,
                       &ret_secrets->client_len) &&
           read_secret(record, LIVE_WEBSOCKET_SERVER_SECRET, *ret_suite, ret_secrets->server,
                       &ret_secrets->server_len);
}

/* Less than the record of which it is the beginning. */
static bool is_partial(struct bytes partial)
{
    size_t len;

    return partial.len < TLS_RECORD_HEADER ||
           (tls_opener_measure(partial.data, &len) == TLS_OPENED && partial.len < len);
}

/* The rest of those that are made goes first, as it is. */
static bool read_output(const struct handover_record *record, struct conn *conn, size_t plain_max)
{
    struct tls_output *output = &conn->tls.output;
    struct bytes rest = field(record, LIVE_WEBSOCKET_RECORDS);
    uint64_t plain_len = 0;

    (void)!handover_reader_number(record, LIVE_WEBSOCKET_RECORDS_PLAIN, &plain_len);
    if (plain_len > plain_max || (rest.len == 0 && conn->subscriber.queue.in_flight > 0)) {
        return false;
    }
    if (rest.len == 0) {
        return true;
    }
    output->pool = &conn->worker->blocks;
    output->records = block_pool_take_reserved(output->pool, rest.len);
    if (output->records == NULL) {
        return false;
    }
    memcpy(output->records, rest.data, rest.len);
    output->len = (uint32_t)rest.len;
    output->plain_len = (size_t)plain_len;
    return true;
}

static bool read_records(const struct handover_record *record, struct conn *conn, size_t plain_max)
{
    struct bytes partial = field(record, LIVE_WEBSOCKET_PARTIAL);
    struct tls_secrets secrets;
    enum tls_suite suite;
    struct tls_records *records = read_secrets(record, &suite, &secrets) && is_partial(partial)
                                      ? tls_records_create_resting(suite, &secrets)
                                      : NULL;

    bytes_wipe(&secrets, sizeof secrets);
    return records != NULL && transport_records_restore(conn, records, partial) &&
           live_scalars_read(record, of_records, ARRAY_LENGTH(of_records), records, conn->worker) &&
           can_go_on(records) && read_output(record, conn, plain_max);
}

static bool read_rekey(const struct handover_record *record, struct conn *conn)
{
    uint64_t id, answer_wanted = 0;

    if (!handover_reader_number(record, LIVE_WEBSOCKET_SUITE, &id)) {
        return true; /* the kernel could not follow a KeyUpdate */
    }
    struct rekey *rekey = block_pool_take(&conn->worker->blocks, sizeof *rekey);

    if (rekey == NULL) {
        return false;
    }
    conn->tls.rekey = rekey;
    *rekey = (struct rekey){0};
    (void)!handover_reader_number(record, LIVE_WEBSOCKET_ANSWER_WANTED, &answer_wanted);
    rekey->answer_wanted = answer_wanted == 1;
    return read_secrets(record, &rekey->suite, &rekey->secrets);
}

bool live_tls_read(const struct handover_record *record, struct conn *conn, size_t plain_max)
{
    if (conn->transport == &transport_records) {
        return read_records(record, conn, plain_max);
    }
    return conn->subscriber.queue.in_flight == 0 &&
           (conn->transport == &transport_plain || read_rekey(record, conn));
}
