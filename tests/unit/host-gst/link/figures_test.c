/* Goal: the figures of the connection and those of the element are in one structure. Method: each
 * has a value of its own. */
#include "host-gst/link/figures.h"

#include <criterion/criterion.h>

Test(figures, are_those_of_the_connection_and_of_the_element)
{
    const struct relay_client_statistics statistics = {
        .state = RELAY_CLIENT_WAITING, .connects = 1, .rtt_ns = 2, .last_error = "refused"};
    const struct figure own[] = {{"first", 3}, {"second", 4}};
    gboolean connected = TRUE;
    GstStructure *structure;
    guint64 value = 0;

    gst_init(NULL, NULL);
    structure = figures_structure("test/figures", &statistics, own, G_N_ELEMENTS(own));
    cr_expect(gst_structure_has_name(structure, "test/figures"));
    cr_expect_str_eq(gst_structure_get_string(structure, "state"), "waiting");
    cr_expect(gst_structure_get_boolean(structure, "connected", &connected) && !connected);
    cr_expect_str_eq(gst_structure_get_string(structure, "last-error"), "refused");
    cr_expect(gst_structure_get_uint64(structure, "connects", &value) && value == 1);
    cr_expect(gst_structure_get_uint64(structure, "rtt", &value) && value == 2);
    cr_expect(gst_structure_get_uint64(structure, "first", &value) && value == 3);
    cr_expect(gst_structure_get_uint64(structure, "second", &value) && value == 4);
    gst_structure_free(structure);
}
