/* Goal: a link that every browser reads back: the topic is escaped, the token is not. */
#include "cli/token/watch_link.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/attributes.h"

Test(watch_link, stands_beside_the_sessions_with_topic_and_token_in_the_fragment)
{
    static const struct {
        const char *audience;
        const char *topic;
        const char *link;
    } cases[] = {
        {"http://127.0.0.1:3000", "lab-video", "http://127.0.0.1:3000/watch#topic=lab-video"},
        {"https://a.example/ed0/access", "a/b c",
         "https://a.example/ed0/access/watch#topic=a%2Fb%20c"},
        {"https://a.example/", "&token=x#%", "https://a.example/watch#topic=%26token%3Dx%23%25"},
        {"https://a.example//", "\xc3\xa9", "https://a.example/watch#topic=%C3%A9"},
        {"https://a.example", "", "https://a.example/watch#topic="},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *text = NULL;
        size_t len = 0;
        char expected[200];
        FILE *out = open_memstream(&text, &len);

        cr_assert_gt(watch_link_print(out, cases[i].audience, cases[i].topic, "e30.e30.AA-_"), 0);
        fclose(out);
        snprintf(expected, sizeof expected, "%s&token=e30.e30.AA-_\n", cases[i].link);
        cr_expect_str_eq(text, expected);
        free(text);
    }
}

Test(watch_link, a_full_disk_is_told)
{
    FILE *full = fopen("/dev/full", "w");

    setvbuf(full, NULL, _IONBF, 0);
    cr_expect_lt(watch_link_print(full, "https://a.example", "t", "x"), 0);
    fclose(full);
}
