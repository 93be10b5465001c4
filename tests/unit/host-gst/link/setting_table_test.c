/* Goal: a row's property reads and writes its member and no other, with the declared default and
 * bounds; secrets cannot be read. Method: a table with a row of each kind, without an element. */
#include "host-gst/link/setting_table.h"

#include <criterion/criterion.h>

#include "base/attributes.h"

struct values {
    char *text, *secret;
    gboolean flag;
    gint number, choice;
    guint count;
    guint64 size;
};

enum { TEXT = 1, SECRET, FLAG, NUMBER, COUNT, SIZE, CHOICE };

static GType choice_type(void)
{
    static gsize type;
    static const GEnumValue names[] = {{0, "Nought", "nought"}, {7, "Seven", "seven"}, {0}};

    return setting_table_enum_type(&type, "TestChoice", names);
}

#define AT(member) offsetof(struct values, member)

static const struct setting rows[] = {
    {TEXT, "text", "T", "T", SETTING_TEXT, AT(text), .mutable = (GParamFlags)0},
    {SECRET, "secret", "S", "S", SETTING_SECRET, AT(secret), .mutable = (GParamFlags)0},
    {FLAG, "flag", "F", "F", SETTING_BOOLEAN, AT(flag), .initial = TRUE},
    {NUMBER, "number", "N", "N", SETTING_INT, AT(number), .max = 9, .initial = -1},
    {COUNT, "count", "C", "C", SETTING_UINT, AT(count), 1, 9, 5, (GParamFlags)0, NULL},
    {SIZE, "size", "S", "S", SETTING_UINT64, AT(size), 0, G_MAXINT64, 1 << 20, (GParamFlags)0,
     NULL},
    {CHOICE, "choice", "C", "C", SETTING_ENUM, AT(choice), .initial = 7, .enum_type = choice_type},
};

static const struct setting_table table = {rows, ARRAY_LENGTH(rows)};
static struct values values;

static void start(void)
{
    gst_init(NULL, NULL);
    values = (struct values){0};
    setting_table_init(&table, &values);
}

static void stop(void)
{
    setting_table_deinit(&table, &values);
    cr_expect_null(values.text);
    cr_expect_null(values.secret);
}

TestSuite(setting_table, .init = start, .fini = stop);

Test(setting_table, begins_with_the_defaults)
{
    cr_expect_null(values.text);
    cr_expect(values.flag);
    cr_expect_eq(values.number, -1);
    cr_expect_eq(values.count, 5);
    cr_expect_eq(values.size, 1 << 20);
    cr_expect_eq(values.choice, 7);
}

static void set_text(guint property, const char *text)
{
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_STRING);
    g_value_set_string(&value, text);
    cr_assert(setting_table_set(&table, &values, property, &value));
    g_value_unset(&value);
}

Test(setting_table, keeps_texts_of_its_own)
{
    GValue value = G_VALUE_INIT;

    set_text(TEXT, "first");
    set_text(TEXT, "second");
    set_text(SECRET, "secret");
    g_value_init(&value, G_TYPE_STRING);
    cr_assert(setting_table_get(&table, &values, TEXT, &value));
    cr_expect_str_eq(g_value_get_string(&value), "second");
    cr_expect_str_eq(values.secret, "secret");
    cr_expect_not(setting_table_get(&table, &values, SECRET, &value), "a secret");
    g_value_unset(&value);
}

Test(setting_table, reads_what_was_written)
{
    GValue number = G_VALUE_INIT, choice = G_VALUE_INIT;

    g_value_init(&number, G_TYPE_UINT64);
    g_value_set_uint64(&number, 3);
    cr_assert(setting_table_set(&table, &values, SIZE, &number));
    cr_expect_eq(values.size, 3);
    g_value_set_uint64(&number, 0);
    cr_assert(setting_table_get(&table, &values, SIZE, &number));
    cr_expect_eq(g_value_get_uint64(&number), 3);
    g_value_init(&choice, choice_type());
    g_value_set_enum(&choice, 0);
    cr_assert(setting_table_set(&table, &values, CHOICE, &choice));
    cr_expect_eq(values.choice, 0);
    cr_expect_eq(values.count, 5, "no other changed");
}

Test(setting_table, knows_its_own_properties_only)
{
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_STRING);
    cr_expect_not(setting_table_set(&table, &values, 0, &value));
    cr_expect_not(setting_table_get(&table, &values, CHOICE + 1, &value));
    g_value_unset(&value);
}
