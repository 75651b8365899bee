#define _GNU_SOURCE

#include "CLibPQ.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

// PQcancel of libpq 15 connects, writes and waits for the end of file, all of it blocking; the non-blocking
// PQcancelStart came with libpq 17. A thread that runs PQcancel is also sure to send its 16 bytes and not one more:
// PgBouncer 1.18 ends with "FATAL bad client state" on the first extra byte.

struct pointsman_cancel_reports {
    // One for the reader and one for each thread; the last one closes the writing end.
    atomic_int references;
    int reading;
    int writing;
};

struct cancel_job {
    PGcancel *cancel;
    struct pointsman_cancel_reports *reports;
    uint64_t id;
};

enum { CANCEL_STACK = 256 * 1024 };

static void release_reports(struct pointsman_cancel_reports *reports)
{
    if (atomic_fetch_sub(&reports->references, 1) == 1) {
        close(reports->writing);
        free(reports);
    }
}

struct pointsman_cancel_reports *pointsman_cancel_reports_create(void)
{
    int ends[2];
    struct pointsman_cancel_reports *reports = malloc(sizeof *reports);
    if (reports == NULL)
        return NULL;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        int number = errno;
        free(reports);
        errno = number;
        return NULL;
    }
    atomic_init(&reports->references, 1);
    reports->reading = ends[0];
    reports->writing = ends[1];
    return reports;
}

void pointsman_cancel_reports_free(struct pointsman_cancel_reports *reports)
{
    close(reports->reading);
    release_reports(reports);
}

int pointsman_cancel_reports_descriptor(const struct pointsman_cancel_reports *reports)
{
    return reports->reading;
}

bool pointsman_cancel_reports_next(
    struct pointsman_cancel_reports *reports, struct pointsman_cancel_report *report)
{
    ssize_t got;
    do {
        got = read(reports->reading, report, sizeof *report);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *report;
}

static void *run_cancel(void *context)
{
    struct cancel_job *job = context;
    char message[256];
    struct pointsman_cancel_report report = {
        .id = job->id,
        .is_delivered = PQcancel(job->cancel, message, (int)sizeof message) ? 1 : 0,
    };
    PQfreeCancel(job->cancel);
    // 16 bytes are written whole or not at all (PIPE_BUF), and there is room for them (POINTSMAN_CANCEL_LIMIT). When
    // the reader is gone there is nobody to tell; SIGPIPE is blocked in this thread.
    while (write(job->reports->writing, &report, sizeof report) < 0 && errno == EINTR)
        ;
    release_reports(job->reports);
    free(job);
    return NULL;
}

static bool start_thread(struct cancel_job *job)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, CANCEL_STACK);
    // The thread inherits a mask that blocks everything: signals are the main loop's.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int failure = pthread_create(&thread, &attributes, run_cancel, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure == 0;
}

bool pointsman_cancel_start(PGconn *connection, struct pointsman_cancel_reports *reports, uint64_t id)
{
    struct cancel_job *job = malloc(sizeof *job);
    if (job == NULL)
        return false;
    // Copies the address and the key, so that the connection may be closed while the thread is at work.
    job->cancel = PQgetCancel(connection);
    job->reports = reports;
    job->id = id;
    atomic_fetch_add(&reports->references, 1);
    if (job->cancel != NULL && start_thread(job))
        return true;
    PQfreeCancel(job->cancel);
    free(job);
    release_reports(reports);
    return false;
}
