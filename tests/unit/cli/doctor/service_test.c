/* Goal: each planted fault of the configuration is found, with its cure. Method: a configuration
 * with the fault; the public URL leads to a port on which nothing listens. */
#include "cli/doctor/service.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/cli/doctor/checks_fixture.h"

static char audience[] = "http://127.0.0.1:1", url[] = "ws://no-such-name.invalid:1", empty[] = "",
            secret[] = "sesame", algorithms[] = "HS256", loopback[] = "127.0.0.1",
            nowhere[] = "/nowhere/file.pem";

static struct server_config config;

static void start(void)
{
    config = (struct server_config){.audience = audience,
                                    .url = url,
                                    .secret = secret,
                                    .hmac_algorithms = algorithms,
                                    .tls_cert = empty,
                                    .tls_key = empty,
                                    .bind_address = loopback};
    open_findings();
}

TestSuite(service, .init = start, .fini = close_findings);

Test(service, name_without_an_address_and_relay_that_is_not_there)
{
    service_check(&findings, &config, empty);
    expect_finding("\"check\":\"keys\",\"state\":\"ok\"");
    expect_finding("\"check\":\"port_access\",\"state\":\"ok\"");
    expect_finding("no-such-name.invalid of RELAY_URL");
    expect_finding("A or AAAA record");
    expect_finding("\"check\":\"round_trip\",\"state\":\"fault\"");
    expect_finding("systemctl start relay");
}

Test(service, keys_and_certificate_that_cannot_be_read)
{
    config.public_keys = nowhere;
    config.tls_cert = nowhere;
    config.tls_key = nowhere;
    service_check(&findings, &config, empty);
    expect_finding("\"check\":\"keys\",\"state\":\"fault\"");
    expect_finding("\"check\":\"certificate\",\"state\":\"fault\"");
    expect_finding("/nowhere/file.pem");
}

Test(service, ports_that_are_taken)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(fd, 1), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    config.port_access = ntohs(address.sin_port);
    service_check(&findings, &config, empty);
    expect_finding("\"check\":\"port_access\",\"state\":\"warning\"");
    expect_finding("ss -ltnp");
    close(fd);
}
