/* This machine is described. */
#include "perf/machine.h"

#include <criterion/criterion.h>

Test(machine, is_described)
{
    json_t *machine = machine_json();

    cr_assert_gt(json_integer_value(json_object_get(machine, "cpus")), 0);
    cr_assert_neq(json_string_value(json_object_get(machine, "kernel"))[0], '\0');
    cr_assert_not_null(json_object_get(machine, "architecture"));
    cr_assert_not_null(json_object_get(machine, "cpu_model"));
    json_decref(machine);
}
