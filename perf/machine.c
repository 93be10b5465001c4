#include "perf/machine.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MODEL_SIZE = 128 };

/* Empty if the kernel does not tell (arm64 has no model name). */
static void cpu_model(char model[static MODEL_SIZE])
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");

    model[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

json_t *machine_json(void)
{
    struct utsname name;
    char model[MODEL_SIZE];

    uname(&name);
    cpu_model(model);
    return json_pack("{s:s, s:s, s:s, s:i}", "kernel", name.release, "architecture", name.machine,
                     "cpu_model", model, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN));
}
