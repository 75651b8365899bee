// The door to libevent. It shows Swift opaque pointers, integers and functions and no libevent header: event2/event.h
// defines _GNU_SOURCE on its own and then disagrees with Swift's Glibc module about fd_set.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct event;

/// Called by the loop. `what` is a set of the POINTSMAN_EVENT bits.
typedef void (*pointsman_event_callback)(int descriptor, short what, void *context);

enum {
    POINTSMAN_EVENT_READ = 1,
    POINTSMAN_EVENT_WRITE = 2,
    POINTSMAN_EVENT_SIGNAL = 4,
};

// MARK: The loop

/// A loop without locks, for one thread. NULL: no memory or no descriptor left (errno).
struct event_base *pointsman_loop_create(void);
void pointsman_loop_free(struct event_base *loop);
/// Waits for something to happen and runs its callbacks; with `wait` false it only looks.
/// Returns 0, 1 when no event is registered at all, -1 on failure (errno).
int pointsman_loop_turn(struct event_base *loop, bool wait);

// MARK: Events. A created event is not yet added; freeing one removes it and is allowed inside its own callback.

/// A persistent event of a descriptor: `what` is READ or WRITE. NULL: no memory.
struct event *pointsman_event_create(
    struct event_base *loop, int descriptor, short what, pointsman_event_callback callback, void *context);
/// A persistent event of a signal. NULL: no memory.
struct event *pointsman_signal_create(
    struct event_base *loop, int signal, pointsman_event_callback callback, void *context);
/// A timer that fires once each time it is armed. NULL: no memory.
struct event *pointsman_timer_create(struct event_base *loop, pointsman_event_callback callback, void *context);

/// 0, or -1 with errno.
int pointsman_event_add(struct event *event);
int pointsman_event_remove(struct event *event);
/// Arms a timer, or moves one that is armed. 0, or -1 with errno.
int pointsman_timer_arm(struct event *timer, uint64_t nanoseconds);
void pointsman_event_free(struct event *event);

// MARK: Linux calls that Swift's Glibc module hides behind _GNU_SOURCE

/// accept4 with SOCK_NONBLOCK and SOCK_CLOEXEC. The descriptor, or -1 with errno.
int pointsman_accept(int listener);
/// A non-blocking, close-on-exec eventfd. The descriptor, or -1 with errno.
int pointsman_wakeup_create(void);
/// Who was on the other end of a Unix socket when it connected (SO_PEERCRED). False: not a connected Unix socket.
bool pointsman_peer_credentials(int descriptor, uint32_t *user, uint32_t *group);
/// Names the calling thread; the kernel keeps 15 bytes.
void pointsman_name_thread(const char *name);
