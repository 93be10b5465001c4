#include "server/bookings/booking_note.h"

#include <stdlib.h>
#include <string.h>

#include "server/bookings/booking_store.h"
#include "server/loop/worker.h"

static void on_noted(struct booking_job *job, int result, struct ring *ring)
{
    free(job);
}

static struct booking_job *job_create(const char *booking_id, int64_t exp_s)
{
    struct booking_job *job = calloc(1, sizeof *job);

    if (job != NULL) {
        job->exp_s = exp_s;
        job->on_done = on_noted;
        memcpy(job->booking_id, booking_id, strlen(booking_id) + 1);
    }
    return job;
}

void booking_note(struct worker *worker, struct booking_store *store, const char *booking_id,
                  int64_t exp_s)
{
    struct booking_job *job = store == NULL ? NULL : job_create(booking_id, exp_s);

    if (job != NULL && !booking_store_submit(store, job)) {
        counters_increment(&worker->counters, store_failures);
        worker_alarm(worker, ALARM_STORE);
        free(job);
    }
}
