#include "host-gst/link/setting_table.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

GType setting_table_enum_type(gsize *type, const char *name, const GEnumValue *values)
{
    if (g_once_init_enter(type)) {
        g_once_init_leave(type, g_enum_register_static(name, values));
    }
    return *type;
}

static GParamSpec *setting_spec(const struct setting *setting)
{
    GParamFlags flags = (GParamFlags)(G_PARAM_STATIC_STRINGS | G_PARAM_WRITABLE | setting->mutable);
    const char *name = setting->name, *nick = setting->nick, *blurb = setting->blurb;

    if (setting->kind != SETTING_SECRET) {
        flags = (GParamFlags)(flags | G_PARAM_READABLE);
    }
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return g_param_spec_string(name, nick, blurb, NULL, flags);
    case SETTING_BOOLEAN:
        return g_param_spec_boolean(name, nick, blurb, setting->initial != 0, flags);
    case SETTING_INT:
        return g_param_spec_int(name, nick, blurb, -1, (gint)setting->max, (gint)setting->initial,
                                flags);
    case SETTING_UINT:
        return g_param_spec_uint(name, nick, blurb, (guint)setting->min, (guint)setting->max,
                                 (guint)setting->initial, flags);
    case SETTING_UINT64:
        return g_param_spec_uint64(name, nick, blurb, setting->min, setting->max,
                                   (guint64)setting->initial, flags);
    case SETTING_ENUM:
        return g_param_spec_enum(name, nick, blurb, setting->enum_type(), (gint)setting->initial,
                                 flags);
    }
    UNREACHABLE();
}

void setting_table_install(const struct setting_table *table, GObjectClass *class)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->rows[i];

        g_object_class_install_property(class, setting->property, setting_spec(setting));
        if (setting->enum_type != NULL) {
            gst_type_mark_as_plugin_api(setting->enum_type(), 0);
        }
    }
}

static void text_replace(char **text, const char *value, bool secret)
{
    if (secret && *text != NULL) {
        bytes_wipe(*text, strlen(*text));
    }
    g_free(*text);
    *text = g_strdup(value);
}

void setting_table_init(const struct setting_table *table, void *settings)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->rows[i];
        void *member = (char *)settings + setting->offset;

        switch (setting->kind) {
        case SETTING_TEXT:
        case SETTING_SECRET:
            break;
        case SETTING_BOOLEAN:
        case SETTING_INT:
        case SETTING_ENUM:
            *(gint *)member = (gint)setting->initial;
            break;
        case SETTING_UINT:
            *(guint *)member = (guint)setting->initial;
            break;
        case SETTING_UINT64:
            *(guint64 *)member = (guint64)setting->initial;
            break;
        }
    }
}

void setting_table_deinit(const struct setting_table *table, void *settings)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->rows[i];

        if (setting->kind == SETTING_TEXT || setting->kind == SETTING_SECRET) {
            text_replace((char **)(void *)((char *)settings + setting->offset), NULL,
                         setting->kind == SETTING_SECRET);
        }
    }
}

static const struct setting *setting_find(const struct setting_table *table, guint property)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].property == property) {
            return &table->rows[i];
        }
    }
    return NULL;
}

bool setting_table_set(const struct setting_table *table, void *settings, guint property,
                       const GValue *value)
{
    const struct setting *setting = setting_find(table, property);
    void *member;

    if (setting == NULL) {
        return false;
    }
    member = (char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        text_replace(member, g_value_get_string(value), setting->kind == SETTING_SECRET);
        break;
    case SETTING_BOOLEAN:
        *(gboolean *)member = g_value_get_boolean(value);
        break;
    case SETTING_INT:
        *(gint *)member = g_value_get_int(value);
        break;
    case SETTING_UINT:
        *(guint *)member = g_value_get_uint(value);
        break;
    case SETTING_UINT64:
        *(guint64 *)member = g_value_get_uint64(value);
        break;
    case SETTING_ENUM:
        *(gint *)member = g_value_get_enum(value);
        break;
    }
    return true;
}

bool setting_table_get(const struct setting_table *table, const void *settings, guint property,
                       GValue *value)
{
    const struct setting *setting = setting_find(table, property);
    const void *member;

    if (setting == NULL || setting->kind == SETTING_SECRET) {
        return false;
    }
    member = (const char *)settings + setting->offset;
    switch (setting->kind) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        g_value_set_string(value, *(char *const *)member);
        break;
    case SETTING_BOOLEAN:
        g_value_set_boolean(value, *(const gboolean *)member);
        break;
    case SETTING_INT:
        g_value_set_int(value, *(const gint *)member);
        break;
    case SETTING_UINT:
        g_value_set_uint(value, *(const guint *)member);
        break;
    case SETTING_UINT64:
        g_value_set_uint64(value, *(const guint64 *)member);
        break;
    case SETTING_ENUM:
        g_value_set_enum(value, *(const gint *)member);
        break;
    }
    return true;
}
