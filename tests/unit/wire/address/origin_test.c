/* Goal: pages of this server are told from others, and own names from those of foreign name
 * servers. Method: tables. */
#include "wire/address/origin.h"

#include <criterion/criterion.h>

Test(origin, is_the_same_with_scheme_host_and_port)
{
    static const struct {
        const char *origin, *host;
        bool is_same;
    } cases[] = {
        {"http://localhost:8888", "localhost:8888", true},
        {"https://localhost:8888", "localhost:8888", true},
        {"HTTP://LocalHost", "localhost", true},
        {"http://[::1]:8888", "[::1]:8888", true},
        {"http://localhost:8889", "localhost:8888", false},
        {"http://localhost", "localhost:8888", false},
        {"http://evil.example", "localhost:8888", false},
        {"http://localhost:8888.evil.example", "localhost:8888", false},
        {"null", "localhost", false},
        {"null", "null", false},
        {"http://", "", false},
        {"file://localhost", "localhost", false},
        {"", "localhost", false},
        {"", "", false},
        {"http://localhost http://evil.example", "localhost", false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(origin_is_same(bytes_of_text(cases[i].origin), bytes_of_text(cases[i].host)),
                     cases[i].is_same, "%s at %s", cases[i].origin, cases[i].host);
    }
}

Test(origin, knows_the_own_names_of_a_machine)
{
    static const char *const own[] = {"localhost",      "LOCALHOST:8888", "lab.localhost",
                                      "127.0.0.1:8888", "10.0.0.1",       "[::1]:80",
                                      "[fe80::1]",      "raspberrypi:80", "RaspberryPi.local:1"};
    static const char *const foreign[] = {"",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "127.0.0.1.evil.example",
                                          "[evil",
                                          "evil]",
                                          "raspberrypi.evil",
                                          "raspberrypi.locale",
                                          "xraspberrypi",
                                          "notlocalhost",
                                          "[::1.evil.example]",
                                          ":80",
                                          "[]",
                                          "2130706433",
                                          "[::1].evil.example"};

    for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
        cr_assert(origin_host_is_own(bytes_of_text(own[i]), "raspberrypi"), "%s", own[i]);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(foreign); i++) {
        cr_assert_not(origin_host_is_own(bytes_of_text(foreign[i]), "raspberrypi"), "%s",
                      foreign[i]);
    }
    cr_assert_not(origin_host_is_own(bytes_of_text(".local"), ""));
}
