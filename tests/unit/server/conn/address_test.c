/* Goal: a peer is trusted exactly when its address lies in a listed network; addresses read as
 * people write them.
 * Method: tables; real sockets for the address of a peer. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "server/conn/address.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)(void *)&address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)(void *)&address;

    if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
        address.ss_family = AF_INET;
    } else {
        cr_assert_eq(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1, "%s", text);
        address.ss_family = AF_INET6;
    }
    return address;
}

Test(address, lists_take_addresses_and_networks)
{
    static const struct {
        const char *list;
        const char *inside, *outside; /* separated by spaces */
    } cases[] = {
        {"loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1",
         "128.0.0.0 126.255.255.255 ::2 ::"},
        {"", "", "127.0.0.1 ::1 0.0.0.0"},
        {" , ,", "", "127.0.0.1"},
        {"none", "", "127.0.0.1 ::1 0.0.0.0"},
        {"10.1.2.3", "10.1.2.3 ::ffff:10.1.2.3", "10.1.2.2 10.1.2.4 ::10.1.2.3"},
        {"10.0.0.0/8", "10.0.0.0 10.255.255.255", "9.255.255.255 11.0.0.0"},
        {"10.99.0.0/15", "10.98.0.1 10.99.255.255", "10.100.0.0 10.97.255.255"},
        {"192.168.5.129/31", "192.168.5.128 192.168.5.129", "192.168.5.130 192.168.5.127"},
        {"0.0.0.0/0", "1.2.3.4 255.255.255.255", "::1 2001:db8::1"},
        {"::/0", "1.2.3.4 ::1 2001:db8::1", ""},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1 2001:db9::"},
        {"2001:db8::1/128,10.0.0.1", "2001:db8::1 10.0.0.1", "2001:db8::2 10.0.0.2"},
        {"2001:db8::1, 10.0.0.1 loopback", "2001:db8::1 10.0.0.1 127.0.0.9", "2001:db8::2"},
        {"::ffff:10.0.0.0/104", "10.200.1.1", "11.0.0.1"},
        {"010.0.0.0/8,", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct address_list list = {0};
        const char *const both[] = {cases[i].outside, cases[i].inside};
        int failed = address_list_parse(cases[i].list, &list);

        cr_assert_eq(failed, cases[i].inside == NULL ? -EINVAL : 0, "%s", cases[i].list);
        for (unsigned is_inside = 0; failed == 0 && is_inside < 2; is_inside++) {
            char texts[256];
            char *rest = NULL;

            snprintf(texts, sizeof texts, "%s", both[is_inside]);
            for (char *text = strtok_r(texts, " ", &rest); text != NULL;
                 text = strtok_r(NULL, " ", &rest)) {
                struct sockaddr_storage address = address_of(text);

                cr_assert_eq(address_list_has(&list, &address), is_inside == 1, "%s: %s",
                             cases[i].list, text);
            }
        }
    }
}

Test(address, lists_refuse_what_is_no_network_and_stay_as_they_were)
{
    static const char *const texts[] = {
        "x",
        "localhost",
        "10.0.0",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10.0.0.0/8/8",
        "::1/129",
        "10.0.0.0/8x",
        "/8",
        "::/",
        "10.0.0.256",
        "loopback/8",
        "10.0.0.1;::1",
        "127.0.0.1,host.example",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct address_list list = {.count = 7};

        cr_assert_eq(address_list_parse(texts[i], &list), -EINVAL, "%s", texts[i]);
        cr_assert_eq(list.count, 7);
    }
}

Test(address, lists_are_bounded)
{
    char text[ADDRESS_NETWORKS_MAX * 12 + 64] = "";
    struct address_list list;

    for (unsigned i = 0; i < ADDRESS_NETWORKS_MAX; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "10.0.0.%u,", i);
    }
    cr_assert_eq(address_list_parse(text, &list), 0);
    cr_assert_eq(list.count, ADDRESS_NETWORKS_MAX);
    snprintf(text + strlen(text), sizeof text - strlen(text), "10.0.1.1");
    cr_assert_eq(address_list_parse(text, &list), -EINVAL);
}

Test(address, of_other_families_is_never_trusted)
{
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    const struct sockaddr_storage none = {0};
    struct address_list list;

    cr_assert_eq(address_list_parse("::/0,0.0.0.0/0", &list), 0);
    cr_assert(!address_list_has(&list, &local));
    cr_assert(!address_list_has(&list, &none));
}

Test(address, reads_as_people_write_it)
{
    static const struct {
        const char *address, *text;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},         {"::ffff:203.0.113.7", "203.0.113.7"},  {"::1", "::1"},
        {"2001:db8:0:0::7", "2001:db8::7"}, {"255.255.255.255", "255.255.255.255"},
    };
    const struct sockaddr_storage none = {0};
    char text[64];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct sockaddr_storage address = address_of(cases[i].address);

        address_to_text(&address, text, sizeof text);
        cr_assert_str_eq(text, cases[i].text);
    }
    address_to_text(&none, text, sizeof text);
    cr_assert_str_eq(text, "unknown");
}

Test(address, that_does_not_fit_is_unknown)
{
    struct sockaddr_storage address = address_of("2001:db8:1111:2222:3333:4444:5555:6666");
    char text[9];

    address_to_text(&address, text, sizeof text);
    cr_assert_str_eq(text, "unknown");
}

Test(address, of_a_peer_is_its_end_of_the_connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage peer;
    char text[64];

    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int accepted = accept(listener, NULL, NULL);

    cr_assert_geq(accepted, 0);
    address_of_peer(accepted, &peer);
    address_to_text(&peer, text, sizeof text);
    cr_assert_str_eq(text, "127.0.0.1");
    address_of_peer(listener, &peer);
    cr_assert_eq(peer.ss_family, 0, "not connected");
    address_of_peer(-1, &peer);
    cr_assert_eq(peer.ss_family, 0);
    close(accepted);
    close(client);
    close(listener);
}

static const char *forwarded(const char *field, char text[static REPORTED_ADDRESS_SIZE])
{
    static struct http_request request;

    http_request_init(&request);
    request.fields[0] = (struct http_field){bytes_of_text("x-forwarded-for"), bytes_of_text(field)};
    request.fields_count = 1;
    address_forwarded(&request, text);
    return text;
}

Test(address, of_a_long_list_of_proxies_the_whole_ones_at_the_end_are_kept)
{
    char text[REPORTED_ADDRESS_SIZE];
    char field[3 * REPORTED_ADDRESS_SIZE];

    cr_assert_str_eq(forwarded("", text), "");
    cr_assert_str_eq(forwarded("10.0.0.1, 10.0.0.2", text), "10.0.0.1, 10.0.0.2");
    for (int len = 100; len < 2 * REPORTED_ADDRESS_SIZE; len++) {
        snprintf(field, sizeof field, "%0*d, 10.0.0.1", len, 7);
        bool fits = len + (int)strlen(", 10.0.0.1") < REPORTED_ADDRESS_SIZE;

        cr_assert_str_eq(forwarded(field, text), fits ? field : "10.0.0.1", "%d", len);
    }
    snprintf(field, sizeof field, "%0*d", REPORTED_ADDRESS_SIZE, 7);
    cr_assert_str_eq(forwarded(field, text), "", "half an address is somebody else's");
    field[REPORTED_ADDRESS_SIZE - 1] = '\0';
    cr_assert_str_eq(forwarded(field, text), field);
}
