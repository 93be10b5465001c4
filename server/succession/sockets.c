#include "server/succession/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "server/conn/conn_table.h"
#include "server/handover/handover_reader.h"

enum port_field { PORT_ROLE = 1, PORT_IS_PASSED = 2 };
enum admin_field { ADMIN_TEXT = 1, ADMIN_IS_PATH = 2 };

static size_t write_port(const struct listen_port *port, enum listener_role role,
                         struct handover_writer *writer, int *fds)
{
    handover_writer_begin(writer, HANDOVER_PORT, (uint16_t)port->sockets);
    handover_writer_number(writer, PORT_ROLE, role);
    handover_writer_number(writer, PORT_IS_PASSED, port->is_passed);
    bool fits = handover_writer_end(writer);

    CHECK(fits);
    memcpy(fds, port->fds, port->sockets * sizeof *fds);
    return port->sockets;
}

static size_t write_admin(const struct admin_listener *admin, int fd,
                          struct handover_writer *writer, int *fds)
{
    handover_writer_begin(writer, HANDOVER_ADMIN, 1);
    handover_writer_bytes(writer, ADMIN_TEXT, bytes_of_text(admin->text));
    handover_writer_number(writer, ADMIN_IS_PATH, admin->path != NULL);
    bool fits = handover_writer_end(writer);

    CHECK(fits);
    *fds = fd;
    return 1;
}

size_t sockets_write(const struct listen_ports *ports, const struct admin_listener *admin,
                     int admin_fd, struct handover_writer *writer, int fds[static SOCKETS_FDS_MAX])
{
    bool fits = handover_writer_prelude(writer);

    CHECK(fits);
    size_t count =
        write_port(&ports->access, ports->is_one ? LISTENER_BOTH : LISTENER_ACCESS, writer, fds);

    if (!ports->is_one) {
        count += write_port(&ports->relay, LISTENER_RELAY, writer, fds + count);
    }
    if (admin_fd >= 0) {
        count += write_admin(admin, admin_fd, writer, fds + count);
    }
    return count;
}

struct reading {
    struct listen_ports *ports;
    struct admin_listener *admin;
    const struct server_config *config;
    struct handover_stream *stream;
    char *error;
    size_t error_size;
};

static int fail(const struct reading *reading, const char *text)
{
    snprintf(reading->error, reading->error_size, "%s", text);
    return -EINVAL;
}

static int read_port(const struct reading *reading, const struct handover_record *record)
{
    struct listen_ports *ports = reading->ports;
    uint64_t role, is_passed;

    if (!handover_reader_number(record, PORT_ROLE, &role) ||
        !handover_reader_number(record, PORT_IS_PASSED, &is_passed) || record->fds == 0 ||
        record->fds > WORKERS_MAX) {
        return fail(reading, "a port without sockets");
    }
    struct listen_port *port = role == LISTENER_RELAY ? &ports->relay : &ports->access;

    if (port->count > 0) {
        return fail(reading, "a port twice");
    }
    const int *fds = handover_stream_take_fds(reading->stream, record->fds);

    if (fds == NULL) {
        return fail(reading, "a port without its sockets");
    }
    ports->is_one = role == LISTENER_BOTH;
    port->is_passed = port->is_shared = is_passed != 0;
    return listen_port_adopt(port, fds, record->fds, (unsigned)reading->config->workers,
                             reading->error, reading->error_size);
}

/* Where it listens stands in the options, which both programs have alike. */
static int read_admin(const struct reading *reading, const struct handover_record *record)
{
    struct admin_listener *admin = reading->admin;
    struct bytes text;

    if (!handover_reader_bytes(record, ADMIN_TEXT, &text) || record->fds != 1 ||
        bytes_to_text(text, admin->text, sizeof admin->text) != 0 || admin->fd >= 0) {
        return fail(reading, "an admin listener without its socket, or twice");
    }
    const int *fd = handover_stream_take_fds(reading->stream, 1);

    if (fd == NULL) {
        return fail(reading, "an admin listener without its socket");
    }
    admin->fd = *fd;
    return 0;
}

/* Records of other kinds are of a newer program, and of no use here. */
static int read_record(const struct reading *reading, const struct handover_record *record)
{
    switch (record->kind) {
    case HANDOVER_PORT:
        return read_port(reading, record);
    case HANDOVER_ADMIN:
        return read_admin(reading, record);
    default:
        return record->fds == 0 ? 0 : fail(reading, "sockets of an unknown kind");
    }
}

static int read_all(const struct reading *reading)
{
    struct handover_walk walk;
    struct handover_record record;
    int failed = 0;

    if (!handover_reader_begin(&walk, handover_stream_bytes(reading->stream))) {
        return fail(reading, "no stream of a relay");
    }
    while (failed == 0 && handover_reader_next(&walk, &record)) {
        failed = read_record(reading, &record);
    }
    if (failed == 0 && (!handover_reader_is_whole(&walk) || reading->ports->access.count == 0 ||
                        (!reading->ports->is_one && reading->ports->relay.count == 0))) {
        failed = fail(reading, "a stream that ends too early");
    }
    return failed;
}

int sockets_read(struct listen_ports *ports, struct admin_listener *admin,
                 const struct server_config *config, struct handover_stream *stream, char *error,
                 size_t error_size)
{
    const struct reading reading = {.ports = ports,
                                    .admin = admin,
                                    .config = config,
                                    .stream = stream,
                                    .error = error,
                                    .error_size = error_size};

    *ports = (struct listen_ports){0};
    *admin = (struct admin_listener){.fd = -1, .text = "off"};
    int failed = read_all(&reading);

    if (failed != 0) {
        listen_ports_close(ports);
        admin_listener_close(admin);
        return failed;
    }
    if (ports->is_one) {
        ports->relay.number = ports->access.number;
    }
    return 0;
}
