#include "server/bookings/booking_errands.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/thread.h"
#include "server/bookings/bookings_handover.h"
#include "server/handover/handover_format.h"
#include "server/handover/handover_reader.h"
#include "server/loop/ring.h"

enum { MESSAGE_SIZE = 1024, RING_ENTRIES = 64 };

struct booking_errands {
    int fd;
    pthread_t thread;
    pthread_mutex_t mutex; /* over what follows, and sending: answers come in the same order */
    struct booking_job *first, **last;
    bool is_over;
};

/* With the mutex. A socket that takes nothing more is of a program that does not answer: its
 * connections end with it, which carries out every denial. */
static void send_job(const struct booking_errands *errands, const struct booking_job *job)
{
    uint8_t memory[MESSAGE_SIZE];
    struct handover_writer writer;

    handover_writer_init(&writer, memory, sizeof memory);
    bool fits = bookings_handover_write_denial(job->booking_id, job->exp_s, &writer);

    if (!fits || send(errands->fd, memory, writer.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        shutdown(errands->fd, SHUT_RDWR);
    }
}

bool booking_errands_submit(struct booking_errands *errands, struct booking_job *job)
{
    pthread_mutex_lock(&errands->mutex);
    bool taken = !errands->is_over;

    if (taken) {
        job->next = NULL;
        *errands->last = job;
        errands->last = &job->next;
        send_job(errands, job);
    }
    pthread_mutex_unlock(&errands->mutex);
    return taken;
}

/* The oldest; NULL: there is none. */
static struct booking_job *take_first(struct booking_errands *errands)
{
    pthread_mutex_lock(&errands->mutex);
    struct booking_job *job = errands->first;

    if (job != NULL) {
        errands->first = job->next;
    }
    if (errands->first == NULL) {
        errands->last = &errands->first;
    }
    pthread_mutex_unlock(&errands->mutex);
    return job;
}

static bool is_answer(struct bytes message)
{
    struct handover_record record;
    size_t len;

    return handover_reader_record(message, &record, &len) == HANDOVER_READ &&
           record.kind == HANDOVER_DONE;
}

/* False: the other program has ended. Another message than an answer came too late for
 * those that waited for it. */
static bool await_answer(const struct booking_errands *errands)
{
    uint8_t memory[MESSAGE_SIZE];
    ssize_t len;

    do {
        len = recv(errands->fd, memory, sizeof memory, 0);
    } while (len < 0 ? errno == EINTR : len > 0 && !is_answer(bytes_of(memory, (size_t)len)));
    return len > 0;
}

static void *thread_main(void *context)
{
    struct booking_errands *errands = context;
    struct booking_job *job;
    struct ring ring;

    pthread_setname_np(pthread_self(), "errands");
    int failed = ring_open(&ring, RING_ENTRIES, 2 * RING_ENTRIES);

    CHECK(failed == 0); /* the workers made larger ones a moment ago */
    while (await_answer(errands)) {
        job = take_first(errands);
        if (job != NULL) {
            job->on_done(job, 0, &ring);
        }
    }
    pthread_mutex_lock(&errands->mutex);
    errands->is_over = true;
    pthread_mutex_unlock(&errands->mutex);
    while ((job = take_first(errands)) != NULL) {
        job->on_done(job, 0, &ring);
    }
    ring_close(&ring);
    return NULL;
}

struct booking_errands *booking_errands_open(int channel_fd)
{
    struct booking_errands *errands = calloc(1, sizeof *errands);

    if (errands == NULL) {
        return NULL;
    }
    errands->fd = channel_fd;
    errands->last = &errands->first;
    pthread_mutex_init(&errands->mutex, NULL);
    if (thread_start(&errands->thread, thread_main, errands) != 0) {
        pthread_mutex_destroy(&errands->mutex);
        free(errands);
        return NULL;
    }
    return errands;
}

void booking_errands_end(struct booking_errands *errands)
{
    if (errands != NULL) {
        shutdown(errands->fd, SHUT_RDWR);
    }
}

void booking_errands_close(struct booking_errands *errands)
{
    booking_errands_end(errands);
    if (errands != NULL) {
        pthread_join(errands->thread, NULL);
        pthread_mutex_destroy(&errands->mutex);
        free(errands);
    }
}
