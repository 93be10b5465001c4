/* Goal: the proxy is chosen as Go's httpproxy chooses it. Method: tables. */
#include "wire/address/proxy.h"

#include <criterion/criterion.h>
#include <string.h>

static struct url url_of(const char *text)
{
    struct url url;

    cr_assert_eq(url_parse(text, &url), URL_OK, "%s", text);
    return url;
}

static enum proxy_result choose(const char *https, const char *no_proxy, const char *location,
                                struct proxy *proxy)
{
    struct proxy_environment environment = {
        .http = "plain.proxy", .https = https, .no_proxy = no_proxy};
    struct url url = url_of(location);

    return proxy_choose(&environment, &url, proxy);
}

Test(proxy, is_the_one_of_the_scheme)
{
    struct proxy proxy;

    cr_assert_eq(choose("tls.proxy:3128", NULL, "https://relay.example/x", &proxy), PROXY_USE);
    cr_assert_str_eq(proxy.url.host, "tls.proxy");
    cr_assert_eq(proxy.url.port, 3128);
    cr_assert_str_eq(proxy.credentials, "");
    cr_assert_eq(choose("tls.proxy", NULL, "wss://relay.example/x", &proxy), PROXY_USE);
    cr_assert_str_eq(proxy.url.host, "tls.proxy");
    cr_assert_eq(choose("tls.proxy", NULL, "ws://relay.example/x", &proxy), PROXY_USE);
    cr_assert_str_eq(proxy.url.host, "plain.proxy");
    cr_assert_eq(choose(NULL, NULL, "https://relay.example/x", &proxy), PROXY_DIRECT);
    cr_assert_eq(choose("", NULL, "https://relay.example/x", &proxy), PROXY_DIRECT);
}

Test(proxy, has_credentials_and_an_address)
{
    struct proxy proxy;

    cr_assert_eq(choose("http://me:p%40ss@[::1]:8080/", NULL, "https://a.b/", &proxy), PROXY_USE);
    cr_assert_str_eq(proxy.credentials, "me:p@ss");
    cr_assert_str_eq(proxy.url.host, "::1");
    cr_assert(proxy.url.ipv6);
    cr_assert_eq(proxy.url.port, 8080);
    cr_assert_eq(choose("socks5://p:1", NULL, "https://a.b/", &proxy), PROXY_INVALID);
    cr_assert_eq(choose("https://p", NULL, "https://a.b/", &proxy), PROXY_INVALID);
    cr_assert_eq(choose("http://p:x", NULL, "https://a.b/", &proxy), PROXY_INVALID);
    cr_assert_eq(choose("http://%zz@p", NULL, "https://a.b/", &proxy), PROXY_INVALID);
}

Test(proxy, is_not_used_where_no_proxy_says_so)
{
    static const struct {
        const char *no_proxy, *location;
        bool is_direct;
    } cases[] = {
        {"*", "https://a.b/", true},
        {"a.b", "https://a.b/", true},
        {"x, A.B ,y", "https://a.b/", true},
        {"a.b", "https://c.a.b/", true},
        {"a.b", "https://ca.b/", false},
        {".a.b", "https://c.a.b/", true},
        {".a.b", "https://a.b/", false},
        {"a.b:443", "https://a.b/", true},
        {"a.b:444", "https://a.b/", false},
        {"10.0.0.0/8", "https://10.9.8.7/", true},
        {"10.0.0.0/9", "https://10.200.8.7/", false},
        {"10.1.2.3", "https://10.1.2.3/", true},
        {"[2001:db8::1]:443", "https://[2001:db8::1]/", true},
        {"2001:db8::/33", "https://[2001:db8::1]/", true},
        {"2001:db8::/200", "https://[2001:db8::1]/", false},
        {"", "https://a.b/", false},
        {NULL, "https://localhost/", true},
        {NULL, "https://127.0.0.1:8443/", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct proxy proxy;

        cr_assert_eq(choose("p", cases[i].no_proxy, cases[i].location, &proxy),
                     cases[i].is_direct ? PROXY_DIRECT : PROXY_USE, "%s %s", cases[i].no_proxy,
                     cases[i].location);
    }
}

Test(proxy, is_the_named_one_for_all_but_this_machine)
{
    static const struct {
        const char *text, *location;
        enum proxy_result result;
    } cases[] = {
        {"http://u:p%40@h:1", "https://a.b/", PROXY_USE}, {"h", "ws://10.0.0.1/", PROXY_USE},
        {"none", "https://a.b/", PROXY_DIRECT},           {"h", "https://127.0.0.1/", PROXY_DIRECT},
        {"https://h", "https://a.b/", PROXY_INVALID},     {"", "https://a.b/", PROXY_INVALID},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url = url_of(cases[i].location);
        struct proxy proxy;

        cr_assert_eq(proxy_take(cases[i].text, &url, &proxy), cases[i].result, "%s", cases[i].text);
        if (i == 0) {
            cr_assert_str_eq(proxy.credentials, "u:p@");
            cr_assert_eq(proxy.url.port, 1);
        }
    }
}
