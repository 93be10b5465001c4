/* Goal: rules of devices are read, and those that say nothing or too much are refused. */
#include "host/device/device_rule.h"

#include <criterion/criterion.h>

static bool read_rule(const char *text, struct device_rule *rule, char *error)
{
    return device_rule_read(json_reader_value(bytes_of_text(text)), rule, error);
}

Test(device_rule, is_a_serial_device_or_a_command)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct device_rule serial, same, exec;

    cr_assert(read_rule("{\"stream\":\"data\",\"serial\":\"/dev/ttyUSB0\",\"speed\":57600}",
                        &serial, error));
    cr_assert_str_eq(serial.serial, "/dev/ttyUSB0");
    cr_assert_eq(serial.speed, 57600);
    cr_assert_not(serial.is_raw);
    cr_assert(read_rule("{\"speed\":57600,\"stream\":\"data\",\"serial\":\"/dev/ttyUSB0\","
                        "\"framing\":\"lines\"}",
                        &same, error));
    cr_assert(read_rule("{\"stream\":\"data\",\"exec\":[\"cat\",\"-\"],\"framing\":\"raw\"}", &exec,
                        error));
    cr_assert_eq(exec.words_count, 2);
    cr_assert_null(exec.words[2]);
    cr_assert(exec.is_raw);
    cr_assert(device_rule_equals(&serial, &same));
    cr_assert_not(device_rule_equals(&serial, &exec));
    device_rule_release(&serial);
    device_rule_release(&same);
    device_rule_release(&exec);
    device_rule_release(&exec);
}

Test(device_rule, refuses_others)
{
    static const char *const texts[] = {
        "{\"serial\":\"x\"}",
        "{\"stream\":\"s\"}",
        "{\"stream\":\"s\",\"exec\":[]}",
        "{\"stream\":\"s\",\"exec\":\"cat\"}",
        "{\"stream\":\"s\",\"exec\":[null]}",
        "{\"stream\":\"s\",\"serial\":\"x\",\"exec\":[\"cat\"]}",
        "{\"stream\":\"s\",\"serial\":\"x\",\"speed\":\"fast\"}",
        "{\"stream\":\"s\",\"serial\":\"x\",\"framing\":\"frames\"}",
        "[]",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char error[JSON_ANSWER_ERROR_SIZE] = "";
        struct device_rule rule;

        cr_assert_not(read_rule(texts[i], &rule, error), "%s", texts[i]);
        cr_assert_str_neq(error, "", "%s", texts[i]);
    }
}
