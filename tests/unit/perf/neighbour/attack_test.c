/* The table of attacks: lists by name, and strength in percent. */
#include "perf/neighbour/attack.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(attack, lists_are_parsed)
{
    struct attack_list list;

    cr_assert_eq(attack_list_parse("tiny", &list), 0);
    cr_assert(list.count == 1 && strcmp(list.items[0]->name, "tiny") == 0 && !list.is_all);
    cr_assert_eq(attack_list_parse("joins,tiny,joins", &list), 0);
    cr_assert(list.count == 3 && list.items[0] == list.items[2]);
    cr_assert_eq(attack_list_parse("all", &list), 0);
    cr_assert(list.is_all && list.items[list.count - 1] == attack_at(list.count - 1));
    cr_assert_null(attack_at(list.count));
}

Test(attack, wrong_lists_are_refused)
{
    struct attack_list list = {.count = 7};
    char long_list[5 * (ATTACK_LIST_MAX + 1)];

    cr_assert_eq(attack_list_parse("", &list), -EINVAL);
    cr_assert_eq(attack_list_parse("tiny,", &list), -EINVAL);
    cr_assert_eq(attack_list_parse("tin", &list), -EINVAL);
    cr_assert_eq(attack_list_parse("tiny all", &list), -EINVAL);
    for (unsigned i = 0; i <= ATTACK_LIST_MAX; i++) {
        memcpy(long_list + (size_t)5 * i, "tiny,", 5);
    }
    long_list[sizeof long_list - 1] = '\0';
    cr_assert_eq(attack_list_parse(long_list, &list), -E2BIG);
    cr_assert_eq(list.count, 7, "untouched");
}

Test(attack, strength_is_scaled)
{
    struct attack attack = {.connections = 600, .opens_per_s = 50};

    cr_assert_eq(attack_scaled(&attack, 100).connections, 600);
    cr_assert_eq(attack_scaled(&attack, 50).connections, 300);
    cr_assert_eq(attack_scaled(&attack, 200).opens_per_s, 100);
    cr_assert_eq(attack_scaled(&attack, 1).opens_per_s, 1, "not none");
    attack.opens_per_s = 0;
    cr_assert_eq(attack_scaled(&attack, 50).opens_per_s, 0, "none stays none");
}

Test(attack, names_and_bounds_are_sound)
{
    const struct attack *attack;

    for (unsigned i = 0; (attack = attack_at(i)) != NULL; i++) {
        struct attack_list list;
        bool opens_anew = attack->entry == ATTACK_TCP || attack->entry == ATTACK_HTTP;

        cr_assert_eq(attack_list_parse(attack->name, &list), 0);
        cr_assert_eq(list.items[0], attack, "%s is not there twice", attack->name);
        cr_assert(attack->connections > 0 && attack->connections <= 10000, "%s", attack->name);
        cr_assert_eq(opens_anew, attack->opens_per_s > 0, "%s", attack->name);
    }
}
