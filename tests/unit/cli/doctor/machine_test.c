/* Goal: an old kernel, too few descriptors and a clock of its own are found, with their cures. */
#include "cli/doctor/machine.h"

#include <errno.h>
#include <sys/timex.h>

#include "tests/unit/cli/doctor/checks_fixture.h"

TestSuite(machine, .init = open_findings, .fini = close_findings);

Test(machine, kernels)
{
    machine_check_kernel(&findings, "6.1.0-18-amd64");
    machine_check_kernel(&findings, "7.0");
    cr_assert_eq(findings.faults, 0);
    machine_check_kernel(&findings, "5.15.0-100-generic");
    machine_check_kernel(&findings, "strange");
    cr_assert_eq(findings.faults, 2);
    expect_finding("Linux 5.15.0-100-generic is older than 6.1");
}

Test(machine, descriptors)
{
    machine_check_descriptors(&findings, RLIM_INFINITY, 65536);
    machine_check_descriptors(&findings, 65600, 65536);
    cr_assert_eq(findings.warnings, 0);
    machine_check_descriptors(&findings, 1024, 65536);
    cr_assert_eq(findings.warnings, 1);
    expect_finding("1024 open files are allowed here, RELAY_CONNECTIONS_MAX needs 65600");
    expect_finding("LimitNOFILE");
}

Test(machine, clocks)
{
    machine_check_clock(&findings, TIME_OK);
    cr_assert_eq(findings.warnings, 0);
    machine_check_clock(&findings, TIME_ERROR);
    cr_assert_eq(findings.warnings, 1);
    expect_finding("chrony");
}

Test(machine, handover)
{
    machine_check_handover(&findings, 0, "systemd");
    expect_finding("hands connections over");
    machine_check_handover(&findings, 0, "relay");
    expect_finding("replaced as a whole");
    machine_check_handover(&findings, 0, "docker-init");
    expect_finding("docker-init would take the end");
    cr_assert_eq(findings.warnings, 0);
    machine_check_handover(&findings, -EPERM, "");
    cr_assert_eq(findings.warnings, 1);
    expect_finding("memfd_create");
}

Test(machine, whole)
{
    const struct server_config config = {.connections_max = 16, .ktls = CONFIG_KTLS_OFF};

    machine_check(&findings, &config);
    cr_assert_eq(findings.count, 6);
    expect_finding("\"check\":\"io_uring\"");
}
