#define _GNU_SOURCE

#include "CLibEvent.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

struct event_base *pointsman_loop_create(void)
{
    struct event_config *config = event_config_new();
    if (config == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    // NOLOCK: one thread per loop. IGNORE_ENV: EVENT_NOEPOLL and kin must not change how the daemon behaves.
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *loop = event_base_new_with_config(config);
    event_config_free(config);
    return loop;
}

void pointsman_loop_free(struct event_base *loop)
{
    event_base_free(loop);
}

int pointsman_loop_turn(struct event_base *loop, bool wait)
{
    // NONBLOCK without ONCE would go on as long as any descriptor is ready, which under load is for ever.
    return event_base_loop(loop, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

struct event *pointsman_event_create(
    struct event_base *loop, int descriptor, short what, pointsman_event_callback callback, void *context)
{
    short events = EV_PERSIST;
    if (what & POINTSMAN_EVENT_READ)
        events |= EV_READ;
    if (what & POINTSMAN_EVENT_WRITE)
        events |= EV_WRITE;
    return event_new(loop, descriptor, events, callback, context);
}

struct event *pointsman_signal_create(
    struct event_base *loop, int signal, pointsman_event_callback callback, void *context)
{
    return event_new(loop, signal, EV_SIGNAL | EV_PERSIST, callback, context);
}

struct event *pointsman_timer_create(struct event_base *loop, pointsman_event_callback callback, void *context)
{
    return event_new(loop, -1, 0, callback, context);
}

int pointsman_event_add(struct event *event)
{
    return event_add(event, NULL);
}

int pointsman_event_remove(struct event *event)
{
    return event_del(event);
}

int pointsman_timer_arm(struct event *timer, uint64_t nanoseconds)
{
    // Rounded up: a timer that fires early only has to be armed again.
    uint64_t microseconds = nanoseconds / 1000 + (nanoseconds % 1000 != 0);
    struct timeval interval = {
        .tv_sec = (time_t)(microseconds / 1000000),
        .tv_usec = (suseconds_t)(microseconds % 1000000),
    };
    return event_add(timer, &interval);
}

void pointsman_event_free(struct event *event)
{
    event_free(event);
}

int pointsman_accept(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int pointsman_wakeup_create(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

bool pointsman_peer_credentials(int descriptor, uint32_t *user, uint32_t *group)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0 || length != sizeof credentials)
        return false;
    // A socket that is no connected Unix socket answers with pid 0 and uid -1 instead of an error.
    if (credentials.pid == 0 || credentials.uid == (uid_t)-1)
        return false;
    *user = credentials.uid;
    *group = credentials.gid;
    return true;
}

void pointsman_name_thread(const char *name)
{
    char kept[16];
    strncpy(kept, name, sizeof kept - 1);
    kept[sizeof kept - 1] = '\0';
    pthread_setname_np(pthread_self(), kept);
}
