// The door to libpq: its own header, wherever the system keeps it, and cancel requests that block nobody.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif

/// Where finished cancel requests are reported: a pipe, shared by the threads that run them.
struct pointsman_cancel_reports;

/// The most cancel requests that may be on their way or unread at once: their reports fit into the smallest pipe that
/// Linux makes (one page), so no thread ever waits to write.
#define POINTSMAN_CANCEL_LIMIT 256

struct pointsman_cancel_report {
    /// The number given to `pointsman_cancel_start`.
    uint64_t id;
    /// 1: the server has taken the request (it says nothing more about it); 0: it could not be delivered.
    uint64_t is_delivered;
};

/// NULL: no memory or no descriptor left (errno).
struct pointsman_cancel_reports *pointsman_cancel_reports_create(void);
/// Ends the reading side. Threads still at work keep the rest alive until they end.
void pointsman_cancel_reports_free(struct pointsman_cancel_reports *reports);
/// Readable when there is a report; non-blocking, close-on-exec.
int pointsman_cancel_reports_descriptor(const struct pointsman_cancel_reports *reports);
/// Takes one report. False: there is none.
bool pointsman_cancel_reports_next(
    struct pointsman_cancel_reports *reports, struct pointsman_cancel_report *report);

/// Runs PQcancel for what runs on this connection, on a thread of its own. False: it could not be started.
bool pointsman_cancel_start(PGconn *connection, struct pointsman_cancel_reports *reports, uint64_t id);
