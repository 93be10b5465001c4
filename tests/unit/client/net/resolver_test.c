/* Names to addresses: literals, the order of families, and giving up. */
#include "client/net/resolver.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

typedef int lookup(const char *host, const char *port, const struct addrinfo *hints,
                   struct addrinfo **ret_list);

static atomic_bool lookups_held;

/* Stands before the C library's, so that a test decides how long a lookup takes. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **ret_list)
{
    while (atomic_load(&lookups_held)) {
        usleep(1000);
    }
    return ((lookup *)dlsym(RTLD_NEXT, "getaddrinfo"))(host, port, hints, ret_list);
}

static void wait_readable(const struct resolver *resolver)
{
    struct pollfd fd = {.fd = resolver_fd(resolver), .events = POLLIN};

    cr_assert_eq(poll(&fd, 1, 30000), 1);
}

static enum progress resolve(const char *location, struct addresses *addresses, struct fault *fault)
{
    struct resolver resolver = {0};
    struct url url;

    cr_assert_eq(url_parse(location, &url), URL_OK);
    cr_assert_eq(resolver_start(&resolver, &url, fault), PROGRESS_WAIT);
    wait_readable(&resolver);
    return resolver_take(&resolver, addresses, fault);
}

Test(resolver, takes_literals_with_their_port)
{
    static const struct {
        const char *location;
        sa_family_t family;
    } cases[] = {{"http://127.0.0.1:3000/", AF_INET}, {"http://[::1]:3000/", AF_INET6}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct addresses addresses;
        struct fault fault;

        cr_assert_eq(resolve(cases[i].location, &addresses, &fault), PROGRESS_DONE);
        cr_assert_eq(addresses.count, 1);
        cr_assert_eq(addresses.items[0].ss_family, cases[i].family);
    }
}

Test(resolver, names_the_host_without_address)
{
    struct addresses addresses = {.count = 7};
    struct fault fault = {0};

    cr_assert_eq(resolve("http://relay.invalid/", &addresses, &fault), PROGRESS_FAILED);
    cr_assert_eq(fault.kind, RELAY_CLIENT_FAULT_RESOLVE);
    cr_assert_not_null(strstr(fault.text, "relay.invalid"));
    cr_assert_eq(addresses.count, 7);
}

Test(resolver, may_be_abandoned_at_any_time)
{
    struct url url;
    struct fault fault;

    cr_assert_eq(url_parse("http://127.0.0.1/", &url), URL_OK);
    for (int i = 0; i < 50; i++) {
        struct resolver resolver = {0};

        cr_assert_eq(resolver_start(&resolver, &url, &fault), PROGRESS_WAIT);
        if (i % 2 == 0) {
            wait_readable(&resolver);
        }
        resolver_abandon(&resolver);
        resolver_abandon(&resolver);
    }
}

Test(resolver, waits_again_for_a_lookup_of_the_same_name_that_goes_on)
{
    struct resolver resolver = {0};
    struct url url, other;
    struct fault fault;

    cr_assert_eq(url_parse("http://127.0.0.1:80/", &url), URL_OK);
    cr_assert_eq(url_parse("http://127.0.0.1:81/", &other), URL_OK);
    atomic_store(&lookups_held, true);
    cr_assert_eq(resolver_start(&resolver, &url, &fault), PROGRESS_WAIT);
    struct resolver_job *job = resolver.job;

    cr_assert_eq(resolver_start(&resolver, &url, &fault), PROGRESS_WAIT);
    cr_assert_eq(resolver.job, job);
    cr_assert_eq(resolver_start(&resolver, &other, &fault), PROGRESS_WAIT);
    cr_assert_neq(resolver.job, job);
    atomic_store(&lookups_held, false);
    wait_readable(&resolver);
    resolver_abandon(&resolver);
}

Test(resolver, asks_anew_when_nobody_waited_for_the_answer)
{
    struct resolver resolver = {0};
    struct addresses addresses;
    struct url url;
    struct fault fault;

    cr_assert_eq(url_parse("http://127.0.0.1:80/", &url), URL_OK);
    cr_assert_eq(resolver_start(&resolver, &url, &fault), PROGRESS_WAIT);
    wait_readable(&resolver);
    atomic_store(&lookups_held, true);
    cr_assert_eq(resolver_start(&resolver, &url, &fault), PROGRESS_WAIT);
    cr_assert_eq(resolver_take(&resolver, &addresses, &fault), PROGRESS_WAIT, "a stale answer");
    atomic_store(&lookups_held, false);
    wait_readable(&resolver);
    cr_assert_eq(resolver_take(&resolver, &addresses, &fault), PROGRESS_DONE);
}

Test(resolver, lets_families_take_turns)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"", ""},         {"4", "4"},         {"44", "44"},
        {"64", "64"},     {"6664", "6466"},   {"666444", "646464"},
        {"4666", "4666"}, {"44466", "46464"}, {"466644", "464646"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct addresses addresses = {.count = (unsigned)strlen(cases[i].before)};
        char after[RESOLVER_ADDRESSES_MAX + 1] = "";

        for (unsigned j = 0; j < addresses.count; j++) {
            addresses.items[j].ss_family = cases[i].before[j] == '4' ? AF_INET : AF_INET6;
            addresses.lens[j] = 100 + j;
        }
        resolver_interleave(&addresses);
        unsigned lens = 0;

        for (unsigned j = 0; j < addresses.count; j++) {
            after[j] = addresses.items[j].ss_family == AF_INET ? '4' : '6';
            lens |= 1u << (addresses.lens[j] - 100);
        }
        cr_assert_str_eq(after, cases[i].after);
        cr_assert_eq(lens, (1u << addresses.count) - 1, "an address got lost");
    }
}
