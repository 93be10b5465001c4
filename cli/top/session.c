#include "cli/top/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/top/keys.h"
#include "cli/top/screen.h"
#include "cli/top/terminal.h"

enum { TYPED_SIZE = 64, TICK_MS = 1000 };

struct session {
    const struct top_settings *settings;
    struct terminal terminal;
    struct sampler sampler;
    struct screen screen;
    struct fault fault;
    int signals_fd;
    uint64_t due_ms;  /* of clock_monotonic_ms: the next look */
    uint64_t tick_ms; /* the next drawing, even if nothing happens */
    bool is_dirty;    /* what is drawn is not what is known */
    bool ends;
};

/* Sorting. */

static const struct {
    char key;
    enum sort_key sort;
} sort_keys[] = {
    {'n', SORT_NAME}, {'p', SORT_PUBLISHERS}, {'v', SORT_VIEWERS},  {'a', SORT_AGE},
    {'i', SORT_IN},   {'o', SORT_OUT},        {'m', SORT_MESSAGES}, {'l', SORT_LOST},
};

static void sort(struct session *session)
{
    struct screen *screen = &session->screen;

    rates_sort(&session->sampler.rates, screen->sort, screen->reverse);
    connections_sort(&session->sampler.connections, screen->sort, screen->reverse);
}

static void take_sort_key(struct session *session, int key)
{
    for (size_t i = 0; i < ARRAY_LENGTH(sort_keys); i++) {
        if (sort_keys[i].key == key) {
            session->screen.sort = sort_keys[i].sort;
            session->screen.first = 0;
        }
    }
}

/* Scrolling. */

static void scroll(struct screen *screen, int64_t rows)
{
    size_t all = screen_rows(screen), shown = screen_rows_shown(screen);
    int64_t last = all > shown ? (int64_t)(all - shown) : 0;
    int64_t first = (int64_t)screen->first + rows;

    screen->first = (size_t)(first < 0 ? 0 : first > last ? last : first);
}

static void take_scroll_key(struct screen *screen, int key)
{
    int64_t page = (int64_t)screen_rows_shown(screen);

    switch (key) {
    case KEY_UP:
        scroll(screen, -1);
        break;
    case KEY_DOWN:
        scroll(screen, 1);
        break;
    case KEY_PAGE_UP:
        scroll(screen, -page);
        break;
    case KEY_PAGE_DOWN:
        scroll(screen, page);
        break;
    case KEY_HOME:
        screen->first = 0;
        break;
    case KEY_END:
        scroll(screen, INT32_MAX);
        break;
    }
}

/* Keys. */

static void look_now(struct session *session)
{
    session->due_ms = 0;
}

static void take_key(struct session *session, int key)
{
    struct screen *screen = &session->screen;

    switch (key) {
    case 'q':
    case 'Q':
        session->ends = true;
        break;
    case 'c':
    case 't':
        screen->connections = !screen->connections;
        screen->first = 0;
        look_now(session);
        break;
    case 'r':
        screen->reverse = !screen->reverse;
        break;
    case ' ':
        screen->paused = !screen->paused;
        look_now(session);
        break;
    default:
        take_sort_key(session, key);
        take_scroll_key(screen, key);
    }
    sort(session);
    session->is_dirty = true;
}

static void take_typed(struct session *session)
{
    uint8_t typed[TYPED_SIZE];
    ssize_t len = read(STDIN_FILENO, typed, sizeof typed);
    struct bytes input = bytes_of(typed, len > 0 ? (size_t)len : 0);

    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        session->ends = true; /* the terminal is gone */
    }
    while (input.len > 0 && !session->ends) {
        take_key(session, keys_take(&input));
    }
}

/* Signals. */

static void fill(sigset_t *signals)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};

    sigemptyset(signals);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        sigaddset(signals, numbers[i]);
    }
}

static void measure(struct session *session)
{
    terminal_size(&session->screen.columns, &session->screen.lines);
    scroll(&session->screen, 0);
    session->is_dirty = true;
}

static void take_signal(struct session *session)
{
    struct signalfd_siginfo info;

    if (read(session->signals_fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    switch (info.ssi_signo) {
    case SIGTSTP:
        terminal_close(&session->terminal);
        raise(SIGSTOP); /* until SIGCONT, which waits in signals_fd then */
        break;
    case SIGCONT:
        terminal_enter_again(&session->terminal);
        measure(session);
        break;
    case SIGWINCH:
        measure(session);
        break;
    default:
        session->ends = true;
    }
}

/* Looks. */

static void begin_if_due(struct session *session, uint64_t now_ms)
{
    struct sampler *sampler = &session->sampler;

    if (!sampler_is_busy(sampler) && !session->screen.paused && now_ms >= session->due_ms) {
        sampler->wants_connections = session->screen.connections;
        sampler_begin(sampler);
        session->due_ms = now_ms + (uint64_t)session->settings->interval_ms;
    }
}

static void advance(struct session *session, uint64_t now_ms)
{
    struct screen *screen = &session->screen;
    enum progress progress;

    if (!sampler_is_busy(&session->sampler)) {
        return;
    }
    progress = sampler_advance(&session->sampler, now_ms, &session->fault);
    if (progress == PROGRESS_WAIT) {
        return;
    }
    if (progress == PROGRESS_DONE) {
        screen->fault = NULL;
    } else if (screen->fault == NULL) {
        screen->fault = session->fault.text;
        screen->fault_s = clock_wall_s();
    }
    sort(session);
    scroll(screen, 0);
    session->is_dirty = true;
}

static void draw(struct session *session, uint64_t now_ms)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    session->screen.wall_s = clock_wall_s();
    session->is_dirty = false;
    session->tick_ms = now_ms + TICK_MS;
    if (out != NULL) {
        screen_draw(&session->screen, out);
        fclose(out);
        session->ends |= !terminal_write(text, len);
    }
    free(text);
}

/* Whether it looks or not, what is drawn has ages that grow. */
static int wait_ms(const struct session *session, uint64_t now_ms)
{
    bool waits = !sampler_is_busy(&session->sampler) && !session->screen.paused;
    uint64_t due_ms =
        waits && session->due_ms < session->tick_ms ? session->due_ms : session->tick_ms;

    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void turn(struct session *session)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = session->signals_fd, .events = POLLIN},
                           sampler_pollfd(&session->sampler)};

    if (session->is_dirty || now_ms >= session->tick_ms) {
        draw(session, now_ms);
    }
    poll(fds, ARRAY_LENGTH(fds), wait_ms(session, now_ms));
    if (fds[1].revents != 0) {
        take_signal(session);
    }
    if (fds[0].revents != 0) {
        take_typed(session);
    }
    now_ms = clock_monotonic_ms();
    begin_if_due(session, now_ms);
    advance(session, now_ms);
}

int session_run(const struct top_settings *settings, const struct admin_address *address)
{
    struct session session = {.settings = settings,
                              .screen = {.sampler = &session.sampler,
                                         .sort = (enum sort_key)settings->sort,
                                         .reverse = settings->reverse,
                                         .connections = settings->connections}};
    sigset_t signals;

    if (!terminal_open(&session.terminal)) {
        fprintf(stderr, "relay top: standard input and output are no terminal; use --once or "
                        "--json\n");
        return 1;
    }
    fill(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    session.signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    sampler_init(&session.sampler, address);
    measure(&session);
    while (!session.ends) {
        turn(&session);
    }
    terminal_close(&session.terminal);
    sampler_deinit(&session.sampler);
    close(session.signals_fd);
    return 0;
}
