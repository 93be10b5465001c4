/* Goal: a parcel is a copy that lives as long as its references. */
#include "host/feed/parcel.h"

#include <criterion/criterion.h>

Test(parcel, is_a_copy_with_references)
{
    char text[] = "abc";
    struct parcel *parcel = parcel_create(PARCEL_TEXT, bytes_of_text(text), 7);
    struct parcel *empty = parcel_create(PARCEL_BINARY, bytes_of(NULL, 0), 0);

    text[0] = 'x';
    cr_assert(bytes_equal_text(bytes_of(parcel->data, parcel->len), "abc"));
    cr_assert_eq(parcel->type, PARCEL_TEXT);
    cr_assert_eq(parcel->made_ms, 7);
    cr_assert_eq(parcel_ref(parcel), parcel);
    parcel_unref(parcel);
    cr_assert_eq(parcel->references, 1);
    parcel_unref(parcel);
    cr_assert_eq(empty->len, 0);
    parcel_unref(empty);
    parcel_unref(NULL);
}
