/* The properties of an element as a table: a row names one property, its bounds, and the member of
 * a plain struct that holds its value. The settings belong to the element and are guarded by its
 * object lock; nothing here waits. */
#pragma once

#include <gst/gst.h>
#include <stdbool.h>
#include <stddef.h>

enum setting_kind {
    SETTING_TEXT,
    SETTING_SECRET, /* never returned to the user, wiped */
    SETTING_BOOLEAN,
    SETTING_INT, /* from -1 */
    SETTING_UINT,
    SETTING_UINT64,
    SETTING_ENUM,
};

enum setting_table_limits { SETTING_DELAY_MS_MAX = 24 * 3600 * 1000 };

struct setting {
    guint property;
    const char *name;
    const char *nick;
    const char *blurb;
    enum setting_kind kind;
    size_t offset; /* of the member */
    guint64 min, max;
    gint64 initial;
    GParamFlags mutable;
    GType (*enum_type)(void);
};

struct setting_table {
    const struct setting *rows;
    size_t count;
};

/* Class initialisation: installs the properties. */
void setting_table_install(const struct setting_table *table, GObjectClass *class);

/* Sets the members of the table; the struct is zeroed before. */
void setting_table_init(const struct setting_table *table, void *settings);

/* Frees the texts, wipes the secrets. */
void setting_table_deinit(const struct setting_table *table, void *settings);

/* False when the property is not in the table, or may not be read. Fixed ones never fail: GObject
 * has checked them. */
bool setting_table_set(const struct setting_table *table, void *settings, guint property,
                       const GValue *value);
bool setting_table_get(const struct setting_table *table, const void *settings, guint property,
                       GValue *value);

/* For the enum_type of a row: registers the type once. */
GType setting_table_enum_type(gsize *type, const char *name, const GEnumValue *values);
