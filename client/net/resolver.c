#include "client/net/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"

struct resolver_job {
    atomic_int references; /* the helper's and the owner's */
    int fd;                /* eventfd: written once, after which the helper writes nothing here */
    char host[URL_HOST_SIZE];
    char port[8];
    int error; /* of getaddrinfo */
    int error_errno;
    struct addrinfo *list;
};

static void job_unref(struct resolver_job *job)
{
    if (atomic_fetch_sub(&job->references, 1) > 1) {
        return;
    }
    if (job->list != NULL) {
        freeaddrinfo(job->list);
    }
    close(job->fd);
    free(job);
}

static void *job_run(void *context)
{
    struct resolver_job *job = context;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uint64_t one = 1;

    job->error = getaddrinfo(job->host, job->port, &hints, &job->list);
    job->error_errno = errno;
    /* The write publishes the result; it cannot fail on a fresh counter. */
    ssize_t ignored UNUSED = write(job->fd, &one, sizeof one);
    job_unref(job);
    return NULL;
}

static int start_thread(struct resolver_job *job)
{
    pthread_t thread;
    int failed = thread_start(&thread, job_run, job);

    if (failed == 0) {
        pthread_detach(thread);
    }
    return failed;
}

static struct resolver_job *job_create(const struct url *url)
{
    struct resolver_job *job = calloc(1, sizeof *job);

    if (job == NULL) {
        return NULL;
    }
    job->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (job->fd < 0) {
        free(job);
        return NULL;
    }
    atomic_init(&job->references, 2);
    snprintf(job->host, sizeof job->host, "%s", url->host);
    snprintf(job->port, sizeof job->port, "%u", url->port);
    if (start_thread(job) != 0) {
        close(job->fd);
        free(job);
        return NULL;
    }
    return job;
}

static bool job_is_done(const struct resolver_job *job)
{
    struct pollfd fd = {.fd = job->fd, .events = POLLIN};

    return poll(&fd, 1, 0) != 0;
}

static bool job_is_for(const struct resolver_job *job, const struct url *url)
{
    return strcmp(job->host, url->host) == 0 && strtoul(job->port, NULL, 10) == url->port;
}

enum progress resolver_start(struct resolver *resolver, const struct url *url, struct fault *fault)
{
    /* An unclaimed result may be old, from before or during an outage. */
    if (resolver->job != NULL && job_is_for(resolver->job, url) && !job_is_done(resolver->job)) {
        return PROGRESS_WAIT;
    }
    resolver_abandon(resolver);
    resolver->job = job_create(url);
    if (resolver->job == NULL) {
        return fault_set(fault, RELAY_CLIENT_FAULT_RESOLVE, "no thread or memory to resolve %s",
                         url->host);
    }
    return PROGRESS_WAIT;
}

int resolver_fd(const struct resolver *resolver)
{
    return resolver->job->fd;
}

static void addresses_add(struct addresses *addresses, const struct addrinfo *info)
{
    if (addresses->count < RESOLVER_ADDRESSES_MAX &&
        info->ai_addrlen <= sizeof addresses->items[0]) {
        memcpy(&addresses->items[addresses->count], info->ai_addr, info->ai_addrlen);
        addresses->lens[addresses->count] = info->ai_addrlen;
        addresses->count++;
    }
}

static void move_to(struct addresses *addresses, unsigned from, unsigned to)
{
    struct sockaddr_storage item = addresses->items[from];
    socklen_t len = addresses->lens[from];

    for (unsigned i = from; i > to; i--) {
        addresses->items[i] = addresses->items[i - 1];
        addresses->lens[i] = addresses->lens[i - 1];
    }
    addresses->items[to] = item;
    addresses->lens[to] = len;
}

void resolver_interleave(struct addresses *addresses)
{
    for (unsigned to = 1; to < addresses->count; to++) {
        for (unsigned from = to; from < addresses->count; from++) {
            if (addresses->items[from].ss_family != addresses->items[to - 1].ss_family) {
                move_to(addresses, from, to);
                break;
            }
        }
    }
}

static enum progress job_fault(const struct resolver_job *job, struct fault *fault)
{
    const char *cause =
        job->error == EAI_SYSTEM ? strerror(job->error_errno) : gai_strerror(job->error);

    return fault_set(fault, RELAY_CLIENT_FAULT_RESOLVE, "no address for %s: %s", job->host, cause);
}

enum progress resolver_take(struct resolver *resolver, struct addresses *ret_addresses,
                            struct fault *fault)
{
    struct resolver_job *job = resolver->job;
    struct addresses addresses = {0};
    uint64_t count;

    if (read(job->fd, &count, sizeof count) != sizeof count) {
        return PROGRESS_WAIT;
    }
    enum progress progress = PROGRESS_DONE;

    if (job->error != 0) {
        progress = job_fault(job, fault);
    } else {
        for (const struct addrinfo *info = job->list; info != NULL; info = info->ai_next) {
            addresses_add(&addresses, info);
        }
        resolver_interleave(&addresses);
        *ret_addresses = addresses;
    }
    resolver_abandon(resolver);
    return progress;
}

void resolver_abandon(struct resolver *resolver)
{
    if (resolver->job != NULL) {
        job_unref(resolver->job);
        resolver->job = NULL;
    }
}
