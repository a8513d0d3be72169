/* broker/security/conn_limit.c - see conn_limit.h. A count is kept as the pointer's value. */
#include "broker/security/conn_limit.h"

#include "base/base.h"
#include "base/opt.h"

void conn_limit_init(struct conn_limit *l)
{
    pthread_mutex_init(&l->lock, NULL);
    map_init(&l->counts);
}

void conn_limit_release(struct conn_limit *l)
{
    map_release(&l->counts, NULL);
    pthread_mutex_destroy(&l->lock);
}

static struct slice address(const union sockaddr_any *peer, char ip[INET6_ADDRSTRLEN])
{
    sockaddr_ip(peer, ip);
    return slice_cstr(ip);
}

bool conn_limit_enter(struct conn_limit *l, const union sockaddr_any *peer, int64_t most)
{
    char ip[INET6_ADDRSTRLEN];
    struct slice key = address(peer, ip);
    pthread_mutex_lock(&l->lock);
    uintptr_t n = (uintptr_t)map_get(&l->counts, key);
    bool room = (int64_t)n < most;
    if (room)
        (void)map_put(&l->counts, key, (void *)(n + 1));
    pthread_mutex_unlock(&l->lock);
    return room;
}

void conn_limit_leave(struct conn_limit *l, const union sockaddr_any *peer)
{
    char ip[INET6_ADDRSTRLEN];
    struct slice key = address(peer, ip);
    pthread_mutex_lock(&l->lock);
    uintptr_t n = (uintptr_t)map_get(&l->counts, key);
    if (n > 1)
        (void)map_put(&l->counts, key, (void *)(n - 1));
    else
        (void)map_del(&l->counts, key);
    pthread_mutex_unlock(&l->lock);
}

int64_t conn_limit_of(const union sockaddr_any *peer, struct slice overrides, int64_t most)
{
    char ip[INET6_ADDRSTRLEN];
    struct slice own = address(peer, ip), part;
    while (overrides.n && opt_list_next(&overrides, &part)) {
        ptrdiff_t colon = slice_rfind_char(part, ':');
        int64_t n;
        if (colon > 0 && slice_eq(slice_sub(part, 0, (size_t)colon), own) &&
            slice_to_i64(slice_sub(part, (size_t)colon + 1, part.n), &n) == E_OK && n >= 0)
            return n;
    }
    return most;
}
